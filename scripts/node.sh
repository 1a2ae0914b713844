# shellcheck shell=bash
# Sourced by the scripts that run real nodes: ports, the REST probe, start and end of a node. Bash and awk
# only, so that a fresh machine needs nothing more for them.

# How long a node may take to answer before a script gives up, in milliseconds.
NODE_START_MAX_MS=15000

now_ms() { local LC_ALL=C; echo $((${EPOCHREALTIME/./} / 1000)); }

# A TCP port that nobody listens on, outside the range that the kernel hands to clients.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        grep -qi ":$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
    done
    echo "$port"
}

# GET on loopback: prints the body; fails unless the answer is 200.
rest_get() ( # PORT PATH
    { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
    IFS= read -r -t 5 status <&3 || return 1
    case "$status" in *" 200 "*) ;; *) return 1 ;; esac
    # The rest of the head ends at an empty line.
    while IFS= read -r -t 5 line <&3 && [ "${line%$'\r'}" != "" ]; do :; done
    timeout 5 cat <&3
)

# Waits until the node on PORT answers; fails when PID ended or the time is up.
await_rest() { # PORT PID
    local until
    until=$(($(now_ms) + NODE_START_MAX_MS))
    until rest_get "$1" /api/v1/agent/alive >/dev/null; do
        [ -e "/proc/$2" ] && [ "$(now_ms)" -lt "$until" ] || return 1
    done
}

# The id of the node on PORT.
node_id() { # PORT
    rest_get "$1" /api/v1/agent/node | grep -o '"NodeID": *"[^"]*"' | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/'
}
