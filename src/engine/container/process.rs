//! Processes, as this program can see them: a container's first one, and the engine's.

use super::bounds::BODY_MAX;
use async_io::Async;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

/// What became of an attempt to watch a process.
pub(super) enum Watch {
    /// It becomes readable when the process ends.
    Open(Async<OwnedFd>),
    /// There is no such process any more.
    Ended,
    /// It cannot be watched, and why: the kernel has no pidfd (before 5.3), or the pid is not ours to see.
    Impossible(String),
}

/// Opens a pidfd for `pid`, if that process is the one of `container`.
///
/// The number may mean another process here: the engine may live in another pid namespace. So the process, or the
/// monitor that is its parent (conmon, containerd-shim), must name the container's whole id, in its cgroup or on its
/// command line. The caller must inspect again after this, since a pid may also have been reused.
pub(super) fn watch(pid: u32, container: &str) -> Watch {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Watch::Impossible(format!("{pid} is no pid"));
    };
    let opened = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(fd) => fd,
        Err(Errno::SRCH) => return Watch::Ended,
        Err(e) => return Watch::Impossible(format!("no pidfd of process {pid}: {e}")),
    };
    if !names(pid, container) {
        // What has ended has no command line, and no cgroup of its own.
        return match has_ended(&opened) {
            true => Watch::Ended,
            false => Watch::Impossible(format!(
                "process {pid} is not known to be that of the container"
            )),
        };
    }
    match Async::new_nonblocking(opened) {
        Ok(fd) => Watch::Open(fd),
        Err(e) => Watch::Impossible(format!("the pidfd of process {pid} cannot be polled: {e}")),
    }
}

fn has_ended(process: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(process, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// The process that answers at the other end of a socket, if it can be watched. One that was handed its socket by an init
/// system is not seen: the socket is the init system's, and takes calls while the engine sleeps.
pub(super) fn at_other_end(stream: &Async<UnixStream>) -> Option<Async<OwnedFd>> {
    let peer = socket_peercred(stream.get_ref()).ok()?.pid;
    let process = pidfd_open(peer, PidfdFlags::empty()).ok()?;
    Async::new_nonblocking(process).ok()
}

/// Waits for the end of a watched process.
pub(super) async fn ended(process: &Async<OwnedFd>) {
    if let Err(e) = process.readable().await {
        // The caller asks the engine next in any case.
        log::debug!("a pidfd cannot be polled: {e}");
    }
}

fn names(pid: u32, container: &str) -> bool {
    let has = |file: &str, pid: &str| {
        read(&format!("/proc/{pid}/{file}"))
            .is_some_and(|text| contains(&text, container.as_bytes()))
    };
    let own = pid.to_string();
    has("cgroup", &own) || parent(&own).is_some_and(|parent| has("cmdline", &parent))
}

fn parent(pid: &str) -> Option<String> {
    let status = String::from_utf8(read(&format!("/proc/{pid}/status"))?).ok()?;
    status
        .lines()
        .find_map(|line| Some(line.strip_prefix("PPid:")?.trim().to_owned()))
}

fn read(path: &str) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(BODY_MAX as u64)
        .read_to_end(&mut text)
        .ok()?;
    Some(text)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
