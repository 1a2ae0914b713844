# shellcheck shell=bash
# Sourced by scripts that need a package of this machine; they have `say` and `die`.

apt_install() { # PACKAGE...
    [ "$(id -u)" = 0 ] || die "needs root to install: run  sudo apt-get install $*"
    command -v apt-get >/dev/null || die "install these by hand, this is not Debian or Ubuntu: $*"
    say "installing $*"
    local log
    log=$(mktemp)
    if ! { apt-get -o DPkg::Lock::Timeout=300 update &&
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; } \
        </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get failed; the whole log is $log"
    fi
    rm -f "$log"
}
