//! The front door: argv in, exit code out; a client of the REST API.
