//! Clients of others against the real node: programs that nobody here wrote, as their users have them.

mod bacalhau;
mod home;
mod schemathesis;
