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

/// The command that installs and starts Podman on the system below `root`, for the user `uid`: rootless for a user whose
/// systemd can start it, else for root. Where the distribution is not known, words that say what to do.
#[must_use]
pub fn engine_install_line(root: &Path, uid: u32) -> String {
    let release = ["etc/os-release", "usr/lib/os-release"]
        .into_iter()
        .find_map(|path| read(root, path).ok())
        .unwrap_or_default();
    let Some(install) = ids(&release)
        .into_iter()
        .find_map(|id| package_command(&id))
    else {
        return "install Podman or Docker with this system's package manager and start its socket"
            .to_owned();
    };
    let init = read_init_system(root);
    let (sudo, start) = match (init, uid) {
        (InitSystem::Systemd, 0) => ("", "systemctl enable --now podman.socket".to_owned()),
        (InitSystem::Systemd, _) => (
            "sudo ",
            "systemctl --user enable --now podman.socket".to_owned(),
        ),
        (InitSystem::OpenRc, 0) => (
            "",
            "rc-update add podman && rc-service podman start".to_owned(),
        ),
        (InitSystem::OpenRc, _) => (
            "sudo ",
            "sudo rc-update add podman && sudo rc-service podman start".to_owned(),
        ),
        (InitSystem::Other, 0) => ("", "podman system service --time 0 &".to_owned()),
        (InitSystem::Other, _) => ("sudo ", "podman system service --time 0 &".to_owned()),
    };
    format!("{sudo}{install} && {start}")
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
