//! The swarm host on loopback: connections, faults, identity files, peer addresses, wire numbers.

// Connections between nodes in one process, and how they come back.
mod connect;
// A taken port, a full file table, strangers that talk garbage or nothing, a slow reader.
mod faults;
// The key file and its second copy, one test per rule.
mod identity;
// `--peer` as operators write it.
mod peers;
// Nodes, events, deadlines.
mod support;
// Execution states as integers.
mod wire;
