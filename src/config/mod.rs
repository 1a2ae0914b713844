//! Settings as typed to settings as needed, each value with its origin.
