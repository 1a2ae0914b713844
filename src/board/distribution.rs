//! Which packages this system takes, for the one line that installs an engine.

use super::error::read;
use std::path::Path;

/// Who starts services here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitSystem {
    /// systemd is process 1.
    Systemd,
    /// OpenRC started this system.
    OpenRc,
    /// Something else, or nothing, as in a container.
    Other,
}

/// Reads which init system runs, by the directories that they keep below `root`.
#[must_use]
pub fn read_init_system(root: &Path) -> InitSystem {
    if root.join("run/systemd/system").is_dir() {
        InitSystem::Systemd
    } else if root.join("run/openrc").is_dir() {
        InitSystem::OpenRc
    } else {
        InitSystem::Other
    }
}

/// The command that gets an engine running on the system below `root`, for the user `uid`: starts the one that is
/// installed, else installs Podman and starts it; rootless for a user whose systemd can start it, else for root. Where the
/// distribution is not known, words that say what to do.
#[must_use]
pub fn engine_install_line(root: &Path, uid: u32) -> String {
    let init = read_init_system(root);
    if root.join("usr/bin/podman").exists() {
        return start_podman(init, uid);
    }
    if root.join("usr/bin/dockerd").exists() {
        return start_docker(init, uid);
    }
    let release = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|path| read(root, path).ok())
        .unwrap_or_default();
    let Some(install) = ids(&release).iter().find_map(|id| package_command(id)) else {
        return "install Podman or Docker with this system's package manager and start its socket"
            .to_owned();
    };
    format!("{}{install} && {}", sudo(uid), start_podman(init, uid))
}

fn start_podman(init: InitSystem, uid: u32) -> String {
    let sudo = sudo(uid);
    match init {
        InitSystem::Systemd if uid == 0 => "systemctl enable --now podman.socket".to_owned(),
        InitSystem::Systemd => "systemctl --user enable --now podman.socket".to_owned(),
        InitSystem::OpenRc => {
            format!("{sudo}rc-update add podman && {sudo}rc-service podman start")
        }
        InitSystem::Other => "podman system service --time 0 &".to_owned(),
    }
}

fn start_docker(init: InitSystem, uid: u32) -> String {
    let sudo = sudo(uid);
    match init {
        InitSystem::Systemd => format!("{sudo}systemctl enable --now docker"),
        InitSystem::OpenRc => {
            format!("{sudo}rc-update add docker && {sudo}rc-service docker start")
        }
        InitSystem::Other => format!("{sudo}dockerd &"),
    }
}

fn sudo(uid: u32) -> &'static str {
    if uid == 0 { "" } else { "sudo " }
}

/// `ID`, then the words of `ID_LIKE`: the nearest relative whose packages are known.
fn ids(os_release: &str) -> Vec<String> {
    let value = |key: &str| {
        os_release
            .lines()
            .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches(['"', '\'']).to_ascii_lowercase())
            .unwrap_or_default()
    };
    std::iter::once(value("ID"))
        .chain(value("ID_LIKE").split_whitespace().map(str::to_owned))
        .collect()
}

fn package_command(id: &str) -> Option<&'static str> {
    match id {
        "debian" | "ubuntu" | "raspbian" => Some("apt-get install -y podman"),
        "fedora" | "rhel" | "centos" => Some("dnf install -y podman"),
        "alpine" => Some("apk add podman"),
        "arch" => Some("pacman -S --noconfirm podman"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_distribution_takes_the_packages_of_its_parent() {
        let mint = "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(ids(mint), ["linuxmint", "ubuntu", "debian"]);
        assert_eq!(
            ids(mint).iter().find_map(|id| package_command(id)),
            Some("apt-get install -y podman")
        );
        assert_eq!(ids("NAME=x\n"), [""]);
    }
}
