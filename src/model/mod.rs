//! Plain data: jobs, executions, messages, time. Knows no wire and no file.
