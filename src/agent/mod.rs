//! Everything that decides, and touches nothing.
