//! Which addresses this machine has: what a wildcard listener announces.
//!
//! One netlink watch serves all listeners. Where netlink is forbidden (a sandbox) only loopback is announced, and a
//! watch that breaks is made anew after [`REWATCH_AFTER`]; addresses that left meanwhile stay announced until they come
//! and go again, which costs a peer one failed dial.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::netlink::AddressNews;
use async_io::Timer;

/// A broken watch (the kernel drops it when its buffer runs over) is made anew after this; soon enough for people, rare
/// enough to cost nothing where netlink is forbidden.
const REWATCH_AFTER: Duration = Duration::from_secs(60);

/// Addresses kept. A board has a handful; a container host with hundreds of bridges announces the first of them only.
const ADDRESSES_MAX: usize = 64;

/// An address of this machine appeared or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Up(IpAddr),
    Down(IpAddr),
}

/// The addresses of this machine, as they change.
#[derive(Debug)]
pub(super) struct Interfaces {
    watch: Watch,
    known: BTreeSet<IpAddr>,
}

#[derive(Debug)]
enum Watch {
    Alive(AddressNews),
    Broken { retry: Timer },
}

impl Interfaces {
    /// Starts a watch. Addresses present now are reported as [`Change::Up`]; loopback is known from the start.
    pub(super) fn watch() -> Interfaces {
        Interfaces {
            watch: Watch::begin(),
            known: [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into(),
        }
    }

    /// The addresses reported so far, loopback included.
    pub(super) fn known(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.known.iter().copied()
    }

    /// The next change; pending until there is one.
    pub(super) fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<Change> {
        loop {
            match &mut self.watch {
                Watch::Broken { retry } => {
                    if Pin::new(retry).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.watch = Watch::begin();
                }
                Watch::Alive(news) => match news.poll_next(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(change)) => {
                        if self.apply(change) {
                            return Poll::Ready(change);
                        }
                    }
                    Poll::Ready(Err(error)) => {
                        log::warn!(
                            "the watch for addresses of this machine broke, a new one follows: {error}"
                        );
                        self.watch = Watch::Broken {
                            retry: Timer::after(REWATCH_AFTER),
                        };
                    }
                },
            }
        }
    }

    /// Whether it changes anything for a listener.
    fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Up(ip) => {
                dialable(ip) && self.known.len() < ADDRESSES_MAX && self.known.insert(ip)
            }
            Change::Down(ip) => self.known.remove(&ip),
        }
    }
}

impl Watch {
    fn begin() -> Watch {
        match AddressNews::watch() {
            Ok(news) => Watch::Alive(news),
            Err(error) => {
                log::debug!("the addresses of this machine cannot be watched: {error}");
                Watch::Broken {
                    retry: Timer::after(REWATCH_AFTER),
                }
            }
        }
    }
}

/// Link-local IPv6 needs a zone, which means nothing on another machine.
fn dialable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces() -> Interfaces {
        Interfaces {
            watch: Watch::Broken {
                retry: Timer::never(),
            },
            known: BTreeSet::new(),
        }
    }

    #[test]
    fn an_address_is_reported_when_it_comes_and_when_it_goes_and_once_each() {
        let mut interfaces = interfaces();
        let ip: IpAddr = Ipv4Addr::new(10, 0, 0, 9).into();
        assert!(interfaces.apply(Change::Up(ip)));
        assert!(!interfaces.apply(Change::Up(ip)));
        assert!(interfaces.apply(Change::Down(ip)));
        assert!(!interfaces.apply(Change::Down(ip)));
    }

    #[test]
    fn an_address_that_means_nothing_elsewhere_is_not_announced() {
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        assert!(!interfaces().apply(Change::Up(link_local.into())));
    }

    #[test]
    fn a_machine_with_endless_addresses_announces_the_first_of_them() {
        let mut interfaces = interfaces();
        let announced = (0..1000_u32).filter(|bits| {
            let ip = Ipv4Addr::from_bits(0x0A00_0000 + bits);
            interfaces.apply(Change::Up(ip.into()))
        });
        assert_eq!(announced.count(), ADDRESSES_MAX);
    }
}
