//! Reads what this machine is; decides nothing.
