//! `Registry`: an image registry on 127.0.0.1 that speaks the Registry v2 API over plain HTTP and does as it is told.
//!
//! Its images are real: the layer of the tests' own image and one that no engine has seen before. Both private engines
//! take 127.0.0.1 without TLS.
//!
//! ```ignore
//! let registry = Registry::start();
//! registry.serve("good", Answers::Image(Built::Here));
//! registry.name("good");                       // 127.0.0.1:40001/good:latest
//! ```

mod image;
mod server;

use image::Image;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What an image is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// The machine of the tests.
    Here,
    /// An architecture that it is not.
    Elsewhere,
    /// For this machine, with a volume that its containers get.
    WithVolume,
}

/// How a repository answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answers {
    /// With an image.
    Image(Built),
    /// The same, but the new layer trickles until `release`. It does not stop: Docker notices that nobody waits for a pull
    /// any more when it has news of it.
    Trickling,
    /// To every request for a manifest with this status, code and message.
    Refusal(u16, &'static str, &'static str),
}

/// The registry. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Registry {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ends: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<String, (Answers, Option<Image>)>,
    released: bool,
    /// Layers that trickle now.
    trickling: usize,
    /// Such layers whose engine hung up.
    given_up: usize,
    requests: Vec<String>,
}

impl Registry {
    /// An empty one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || server::serve(&listener, &serving));
        Self { port, shared }
    }

    /// Makes a repository.
    pub(crate) fn serve(&self, repository: &str, answers: Answers) {
        let image = match answers {
            Answers::Image(built) => Some(Image::fresh(built)),
            Answers::Trickling => Some(Image::fresh(Built::Here)),
            Answers::Refusal(..) => None,
        };
        let mut state = self.shared.state.lock().unwrap();
        state
            .repositories
            .insert(repository.to_owned(), (answers, image));
    }

    /// A repository's name without a tag, as a job gives it.
    pub(crate) fn name(&self, repository: &str) -> String {
        format!("127.0.0.1:{}/{repository}", self.port)
    }

    /// The digest of a repository's manifest.
    pub(crate) fn digest(&self, repository: &str) -> String {
        let state = self.shared.state.lock().unwrap();
        let (_, image) = &state.repositories[repository];
        image.as_ref().unwrap().manifest.digest.clone()
    }

    /// Sends the rest of layers that trickle at once, of these and all later ones.
    pub(crate) fn release(&self) {
        self.shared.state.lock().unwrap().released = true;
    }

    /// How many layers trickle now.
    pub(crate) fn trickling(&self) -> usize {
        self.shared.state.lock().unwrap().trickling
    }

    /// How many of those an engine gave up.
    pub(crate) fn given_up(&self) -> usize {
        self.shared.state.lock().unwrap().given_up
    }

    /// What was asked so far, as method and path.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().requests.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        // Wakes the one who accepts.
        let _ = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}
