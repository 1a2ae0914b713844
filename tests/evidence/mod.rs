//! What a node shows to those who look for a cause: conditions, metrics, crash reports, the bundle.

mod bundle;
mod conditions;
mod crash;
mod metrics;
