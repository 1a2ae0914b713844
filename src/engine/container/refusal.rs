//! What an engine means when it refuses to create or start a container. It has no codes for it, only words: Docker answers
//! 400 or 404, Podman 409 or 500, to the same mistakes.

use super::super::EngineError;

/// What a runtime says when it tried to execute the command.
const EXEC_WORDS: [&str; 7] = [
    "executable file not found",
    "command that was not found",
    "exec format error",
    "no such file or directory",
    "permission denied",
    "not a directory",
    "is a directory",
];
/// Docker's and Podman's words for a job without a command on an image without one, and for a working directory that is
/// none.
const NO_COMMAND_WORDS: [&str; 5] = [
    "no command specified",
    "no command or entrypoint provided",
    "command that was not found",
    "cannot mkdir",
    "workdir",
];
/// What engines, runtimes and the kernel say about limits and capabilities.
const LIMIT_WORDS: [&str; 8] = [
    "range of cpus",
    "minimum memory limit",
    "unable to set memory limit",
    "unable to apply caps",
    "unknown capability",
    "error setting rlimit",
    "error setting cgroup config",
    "container init was oom-killed",
];

/// The error itself, or what the words of a `Refused` say.
pub(super) fn typed(error: EngineError) -> EngineError {
    let EngineError::Refused { message, .. } = &error else {
        return error;
    };
    let message = message.clone();
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&LIMIT_WORDS) {
        EngineError::LimitRefused { message }
    } else if has(&NO_COMMAND_WORDS) || (lower.contains("exec") && has(&EXEC_WORDS)) {
        EngineError::BadCommand { message }
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> EngineError {
        typed(EngineError::Refused {
            call: "start the container",
            status: 500,
            message: message.to_owned(),
        })
    }

    #[test]
    fn a_limit_that_is_not_granted_is_told_from_a_command_that_cannot_be_run() {
        // As Docker 20.10.24 and Podman 4.3.1 said them, both over runc 1.1.5.
        for message in [
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: unable to apply caps: operation not permitted: unknown",
            "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            "Minimum memory limit allowed is 6MB",
            "runc: runc create failed: unable to start container process: error during container init: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted: OCI permission denied",
            "error setting cgroup config for procHooks process: unable to set memory limit to 1048576 (current usage: 2359296, peak usage: 2478080)",
            // As runc 1.1 says it where the kernel tells (cgroup v2).
            "runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?)",
            "invalid CapAdd: unknown capability: \"CAP_BPF\"",
        ] {
            let error = refused(message);
            assert!(matches!(error, EngineError::LimitRefused { .. }), "{error}");
        }
        for message in [
            "No command specified",
            "no command or entrypoint provided, and no CMD or ENTRYPOINT from image",
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/etc/passwd\": permission denied: unknown",
            "Cannot mkdir: /etc/passwd is not a directory",
            "workdir \"/nope\" does not exist on container d3b9a80d",
        ] {
            let error = refused(message);
            assert!(matches!(error, EngineError::BadCommand { .. }), "{error}");
        }
        let error = refused("database is locked");
        assert!(matches!(error, EngineError::Refused { .. }), "{error}");
    }
}
