//! What systemd does for `podman.socket`: it listens, starts a Podman service when somebody connects, and takes over
//! again when the service has ended because nobody asked it anything.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Between two looks whether it is to end, 20 ms.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The listener. Dropping it ends it and its service.
#[derive(Debug)]
pub(crate) struct Activator {
    socket: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ends: AtomicBool,
    service: Mutex<Service>,
}

#[derive(Debug, Default)]
struct Service {
    child: Option<Child>,
    starts: usize,
}

impl Activator {
    /// Listens on `socket` for the private Podman of the run.
    pub(crate) fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let shared = Arc::new(Shared::default());
        let listening = Arc::clone(&shared);
        Self {
            socket: socket.to_owned(),
            shared,
            thread: Some(std::thread::spawn(move || listen(&listener, &listening))),
        }
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The pid of the service, if there is one now.
    pub(crate) fn service(&self) -> Option<u32> {
        self.shared
            .service
            .lock()
            .unwrap()
            .child
            .as_ref()
            .map(Child::id)
    }

    /// How often a service was started.
    pub(crate) fn starts(&self) -> usize {
        self.shared.service.lock().unwrap().starts
    }
}

impl Drop for Activator {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
        if let Some(mut child) = self.shared.service.lock().unwrap().child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn listen(listener: &UnixListener, shared: &Shared) {
    while !shared.ends.load(Ordering::SeqCst) {
        let mut service = shared.service.lock().unwrap();
        let Some(child) = &mut service.child else {
            drop(service);
            // Whoever connects waits in the backlog until the service takes it.
            let mut asked = [PollFd::new(listener, PollFlags::IN)];
            if poll(&mut asked, Some(&LOOK)).unwrap() > 0 {
                let mut service = shared.service.lock().unwrap();
                service.child = Some(activated(listener));
                service.starts += 1;
            }
            continue;
        };
        if child.try_wait().unwrap().is_some() {
            service.child = None;
        }
        drop(service);
        let _ = poll(&mut [], Some(&LOOK));
    }
}

fn activated(listener: &UnixListener) -> Child {
    let variable = |name| std::env::var(name).expect("start the tests with scripts/test");
    let handed_over = listener.try_clone().unwrap();
    Command::new(variable("CODLING_TEST_ENGINE_SCRIPT"))
        .args(["activated", &variable("CODLING_TEST_ENGINE_DIR")])
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(handed_over)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
