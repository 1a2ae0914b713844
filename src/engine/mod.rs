//! Podman and Docker over their Unix socket, one code.
