//! Names to addresses, by getaddrinfo on one thread of our own.
//!
//! getaddrinfo blocks (for half a minute without a network), so it stays away from the node's thread. The thread is
//! started by the first name, is parked without a time-out between names, and ends with the transport. Dropping a
//! lookup abandons its answer; a call that has begun runs to its end.

use std::future::Future;
use std::net::{IpAddr, ToSocketAddrs};
use std::thread;

use async_channel::{Receiver, Sender};

use super::address::Family;

/// Names waiting for the thread. Each wanted peer has at most one dial under way, and few of them have names.
const QUEUE_MAX: usize = 16;

/// Addresses of one name that are tried; a round-robin name may have dozens.
const ADDRESSES_MAX: usize = 8;

/// glibc's resolver keeps its buffers on the stack (64 KiB at most); twice that, with room.
const STACK_BYTES: usize = 256 * 1024;

/// Why a name gave no address.
#[derive(Debug, thiserror::Error)]
pub(in crate::swarm) enum ResolveError {
    #[error("the name cannot be resolved: {0}")]
    Lookup(std::io::Error),
    #[error("the name has no address of the family asked for")]
    NoAddress,
    #[error("too many names wait to be resolved")]
    QueueFull,
    #[error("the resolver thread could not be started")]
    NoThread,
}

struct Request {
    name: String,
    family: Family,
    reply: Sender<Result<Vec<IpAddr>, ResolveError>>,
}

/// The queue to the thread, once there is one.
#[derive(Debug)]
pub(super) struct Resolver {
    requests: Option<Sender<Request>>,
}

impl Resolver {
    /// No thread yet.
    pub(super) fn new() -> Resolver {
        Resolver { requests: None }
    }

    /// At most [`ADDRESSES_MAX`] addresses of `name`, in the order the system prefers. The question is asked when the
    /// future is first polled.
    pub(super) fn lookup(
        &mut self,
        name: String,
        family: Family,
    ) -> impl Future<Output = Result<Vec<IpAddr>, ResolveError>> + Send + 'static {
        if self.requests.is_none() {
            self.requests = start();
        }
        let requests = self.requests.clone();
        async move {
            let requests = requests.ok_or(ResolveError::NoThread)?;
            let (reply, answer) = async_channel::bounded(1);
            requests
                .try_send(Request {
                    name,
                    family,
                    reply,
                })
                .map_err(|_| ResolveError::QueueFull)?;
            answer.recv().await.unwrap_or(Err(ResolveError::NoThread))
        }
    }
}

fn start() -> Option<Sender<Request>> {
    let (sender, receiver) = async_channel::bounded(QUEUE_MAX);
    let builder = thread::Builder::new()
        .name("resolve".to_owned())
        .stack_size(STACK_BYTES);
    match builder.spawn(move || serve(&receiver)) {
        Ok(_) => Some(sender),
        Err(error) => {
            log::warn!("the resolver thread could not be started: {error}");
            None
        }
    }
}

fn serve(requests: &Receiver<Request>) {
    while let Ok(Request {
        name,
        family,
        reply,
    }) = requests.recv_blocking()
    {
        if reply.is_closed() {
            continue;
        }
        // The reply fails when the dial was dropped meanwhile.
        drop(reply.try_send(resolve(&name, family)));
    }
}

fn resolve(name: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError> {
    let found = (name, 0).to_socket_addrs().map_err(ResolveError::Lookup)?;
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in found.map(|addr| addr.ip()).filter(|ip| family.admits(*ip)) {
        if !ips.contains(&ip) && ips.len() < ADDRESSES_MAX {
            ips.push(ip);
        }
    }
    if ips.is_empty() {
        Err(ResolveError::NoAddress)
    } else {
        Ok(ips)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_resolves_to_the_family_asked_for() {
        let mut resolver = Resolver::new();
        let any =
            futures_lite::future::block_on(resolver.lookup("localhost".to_owned(), Family::Any));
        assert!(any.is_ok_and(|ips| ips.iter().all(IpAddr::is_loopback)));
        let v4 =
            futures_lite::future::block_on(resolver.lookup("127.0.0.1".to_owned(), Family::V6));
        assert!(matches!(v4, Err(ResolveError::NoAddress)));
    }
}
