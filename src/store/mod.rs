//! Two redb files, or memory: what was promised survives.
