# shellcheck shell=bash
# Sourced from the top level of the project: a scratch directory with private engines in it, and the
# toolchain. All of it is gone however the script ends, unless `scratch_kept` is set.

scratch=
scratch_kept=
# Processes to end before the engine goes.
scratch_pids=()

use_toolchain() {
    local lines
    lines=$(scripts/toolchain) # not inside eval: a failure there would be lost
    eval "$lines"
}

# Sets the CODLING_TEST_... variable that tests find a client of others by.
use_client() { # NAME
    local lines
    lines=$(scripts/clients "$1")
    eval "$lines"
}

# Sets the CODLING_TEST_... variables that tests find the binaries of ARM boards by.
use_boards() {
    local lines
    lines=$(scripts/cross aarch64 armv7)
    eval "$lines"
}

make_scratch() { # NAME
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/codling-$1.XXXXXX")
    trap remove_scratch EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Sets the CODLING_TEST_... variables that tests and scripts find the engines by.
start_scratch_engine() { # [podman|docker]: both when nothing is named
    local lines
    lines=$(scripts/engine start "$scratch/engine" "$@")
    eval "$lines"
}

# Ends a process that this shell started and waits for it.
end_process() { # SIGNAL PID
    kill "-$1" "$2" 2>/dev/null || true
    wait "$2" 2>/dev/null || true
}

remove_scratch() {
    local rc=$? pid
    trap - EXIT
    if [ "$rc" = 0 ] && [ -n "$scratch_kept" ]; then exit 0; fi
    for pid in "${scratch_pids[@]}"; do end_process KILL "$pid"; done
    scripts/engine stop "$scratch/engine" 2>/dev/null || true
    rm -rf --one-file-system -- "$scratch"
    exit "$rc"
}
