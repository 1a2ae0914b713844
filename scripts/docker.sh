# shellcheck shell=bash
# Sourced by scripts/engine: the private Docker in DIR/docker. Its own containerd, data, configuration and socket;
# no bridge, no firewall rule, no forwarding. A container outlives its daemon (live-restore).

docker_lives() { # DIR NAME: prints the pid of the process whose pid NAME.pid holds, if it is still that program
    local pid
    pid=$(cat "$1/docker/$2.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$1/docker/" && echo "$pid"
}

write_docker_config() { # DIR
    local dir=$1/docker storage=vfs
    if [ "$(cat "$1/driver")" = overlay ]; then storage=overlay2; fi
    mkdir -p "$dir"/{data,exec,containerd,client}
    cat >"$dir/containerd.toml" <<TOML
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$dir/containerd/sock"
TOML
    cat >"$dir/daemon.json" <<JSON
{
  "hosts": ["unix://$dir.sock"],
  "containerd": "$dir/containerd/sock",
  "data-root": "$dir/data",
  "exec-root": "$dir/exec",
  "pidfile": "$dir/dockerd.pid",
  "storage-driver": "$storage",
  "exec-opts": ["native.cgroupdriver=cgroupfs"],
  "bridge": "none",
  "iptables": false,
  "ip6tables": false,
  "ip-forward": false,
  "ip-masq": false,
  "live-restore": true,
  "group": "root",
  "log-level": "warn"
}
JSON
}

# dockerd takes over this process; killing it ends no container. Its containerd goes on and serves the next one.
become_docker_service() { # DIR
    local dir=$1/docker
    unset DOCKER_HOST NOTIFY_SOCKET LISTEN_FDS LISTEN_PID
    if ! docker_lives "$1" containerd >/dev/null; then
        setsid containerd --config "$dir/containerd.toml" </dev/null >>"$dir/containerd.log" 2>&1 &
        echo $! >"$dir/containerd.pid"
    fi
    # What a killed one left; dockerd refuses to start beside it when its number lives again.
    docker_lives "$1" dockerd >/dev/null || rm -f "$dir/dockerd.pid"
    exec dockerd --config-file "$dir/daemon.json"
}

on_docker() { # DIR ARG...: the docker command on this daemon
    local dir=$1
    shift
    (unset DOCKER_CONTEXT && exec docker --config "$dir/docker/client" --host "unix://$dir/docker.sock" "$@")
}

start_docker() { # DIR
    local pid=
    write_docker_config "$1"
    if ! docker_lives "$1" dockerd >/dev/null; then
        setsid "$self" docker-service "$1" </dev/null >>"$1/docker/dockerd.log" 2>&1 &
        pid=$!
        disown
    fi
    await_service "$1/docker/dockerd.log" "$pid" timeout 5 docker --config "$1/docker/client" \
        --host "unix://$1/docker.sock" version
    if ! on_docker "$1" image inspect "$IMAGE" >/dev/null 2>&1; then
        make_image "$1"
        on_docker "$1" import --change 'CMD ["/bin/sh"]' --change 'ENV PATH=/bin' "$1/image.tar" "$IMAGE" >/dev/null
    fi
    printf 'export CODLING_TEST_DOCKER=%q\n' "$1/docker.sock"
}

stop_docker() { # DIR
    local pid name containers
    [ -d "$1/docker" ] || return 0
    mapfile -t containers < <(on_docker "$1" ps --all --quiet 2>/dev/null || true)
    if [ "${#containers[@]}" -gt 0 ]; then on_docker "$1" rm --force "${containers[@]}" >/dev/null 2>&1 || true; fi
    for name in dockerd containerd; do
        if pid=$(docker_lives "$1" "$name"); then end_service "$pid"; fi
    done
    end_monitors "-address $1/docker/containerd/sock"
    # The monitors' sockets are there whatever the configuration says.
    rmdir /run/containerd/s /run/containerd 2>/dev/null || true
}

# Monitors of containers that no engine could remove, and with them what they monitor.
end_monitors() { # PART OF THEIR COMMAND LINE
    local name pid
    for name in /proc/[0-9]*/cmdline; do
        if tr '\0' ' ' 2>/dev/null <"$name" | grep -qF -- "$1"; then
            pid=${name#/proc/}
            kill_tree "${pid%/cmdline}"
        fi
    done
}

kill_tree() { # PID
    local child
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do kill_tree "$child"; done
    kill -KILL "$1" 2>/dev/null || true
}
