//! The figures that `scripts/bench` prints.

fn main() {}
