//! REST on port 1234: HTTP to `ApiRequest`, `ApiReply` to HTTP.
