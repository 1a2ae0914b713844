//! Rules about the source itself, so that nobody has to repeat them in review.
//!
//! Reads files only and does not use the crate: a rule holds even while the code does not work.
//! A rule that someone repeats in review becomes a check here or leaves the list.

mod files;
mod floors;
mod manifest;
mod source;
mod tests;
