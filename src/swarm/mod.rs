//! The libp2p host on port 1235: identity, transport, behaviour.
