//! The kernel's list of this machine's addresses and its news about them: the two messages of rtnetlink that say so.
//!
//! ```text
//!  watch: bind to the address groups --> ask for a dump --> each address as Up --> ... Up and Down as they change
//! ```
//! Bound before it asks, so nothing is missed in between; an address may be told twice. Layouts: netlink(7),
//! rtnetlink(7), all fields in the byte order of the machine.
//!
//! DECISION: own reader instead of `if-watch`, which links a parser of all of rtnetlink (links, routes, traffic control):
//! 0.4 MB of program and of idle memory for two message types.

use super::interfaces::Change;
use async_io::Async;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{bind, recvfrom, send, socket_with};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::task::{Context, Poll, ready};

/// The kernel's own size of a message of a dump; news are shorter.
const DATAGRAM_MAX: usize = 8_192;
/// `nlmsghdr`: length (4), type (2), flags (2), sequence (4), port (4).
const HEADER: usize = 16;
/// `ifaddrmsg`: family (1), prefix (1), flags (1), scope (1), interface (4).
const ADDRESS_HEADER: usize = 8;
/// Both, as the request says it.
const REQUEST_BYTES: u32 = 24;
/// `rtattr`: length (2), type (2).
const ATTRIBUTE_HEADER: usize = 4;
/// Messages and attributes start at multiples of this.
const ALIGNMENT: usize = 4;

const NLMSG_ERROR: u16 = 2;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
/// `RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;
/// On a point-to-point link this is the other end, and `IFA_LOCAL` is ours.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A watch. After an error it is of no more use.
#[derive(Debug)]
pub(super) struct AddressNews {
    socket: Async<OwnedFd>,
    /// Of the last datagram; at most `DATAGRAM_MAX / (HEADER + ADDRESS_HEADER)`.
    pending: VecDeque<Change>,
}

impl AddressNews {
    /// # Errors
    /// Netlink is forbidden, or there is no room for another file.
    pub(super) fn watch() -> io::Result<Self> {
        // NETLINK_ROUTE is protocol 0.
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        bind(&socket, &SocketAddrNetlink::new(0, ADDRESS_GROUPS))?;
        send(&socket, &dump_request(), SendFlags::empty())?;
        Ok(Self {
            socket: Async::new_nonblocking(socket)?,
            pending: VecDeque::new(),
        })
    }

    /// The next address that is there, came or went; pending until there is one.
    ///
    /// # Errors
    /// The kernel dropped news because nobody read them in time, or refused the dump.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Change>> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Poll::Ready(Ok(change));
            }
            let mut buffer = [0; DATAGRAM_MAX];
            match recvfrom(self.socket.get_ref(), &mut buffer, RecvFlags::TRUNC) {
                Ok((_, length, from)) => {
                    let kernel = from.is_some_and(|from| {
                        SocketAddrNetlink::try_from(from).is_ok_and(|from| from.pid() == 0)
                    });
                    let Some(datagram) = buffer.get(..length) else {
                        return Poll::Ready(Err(io::Error::other("a message was cut")));
                    };
                    if kernel {
                        self.pending.extend(changes(datagram)?);
                    }
                }
                Err(Errno::AGAIN) => ready!(self.socket.poll_readable(cx))?,
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

/// `nlmsghdr` and an `ifaddrmsg` of no family: all addresses.
fn dump_request() -> Vec<u8> {
    let mut request = REQUEST_BYTES.to_ne_bytes().to_vec();
    request.extend(RTM_GETADDR.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.resize(HEADER + ADDRESS_HEADER, 0);
    request
}

/// The addresses in the messages of one datagram. What does not fit is the end of it.
fn changes(datagram: &[u8]) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut rest = datagram;
    while let Some(length) = u32_at(rest, 0) {
        let Some(message) = usize::try_from(length)
            .ok()
            .filter(|length| *length >= HEADER)
            .and_then(|length| rest.get(..length))
        else {
            break;
        };
        let body = &message[HEADER..];
        match u16_at(message, 4) {
            Some(RTM_NEWADDR) => changes.extend(address(body).map(Change::Up)),
            Some(RTM_DELADDR) => changes.extend(address(body).map(Change::Down)),
            Some(NLMSG_ERROR) => {
                // Negative, and 0 for an acknowledgement, which was not asked for.
                let code = i32::from_ne_bytes(array(body, 0).unwrap_or_default());
                if code != 0 {
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
            }
            _ => {}
        }
        rest = rest.get(aligned(message.len())..).unwrap_or_default();
    }
    Ok(changes)
}

/// This machine's address in an `ifaddrmsg` with its attributes.
fn address(body: &[u8]) -> Option<IpAddr> {
    let family = *body.first()?;
    let mut rest = body.get(ADDRESS_HEADER..)?;
    let mut address = None;
    while let Some(length) = u16_at(rest, 0).map(usize::from) {
        let Some(value) = rest.get(ATTRIBUTE_HEADER..length) else {
            break;
        };
        match u16_at(rest, 2) {
            Some(IFA_LOCAL) => return ip(family, value),
            Some(IFA_ADDRESS) => address = ip(family, value),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    address
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(value)
            .ok()
            .map(|octets| Ipv4Addr::from(octets).into()),
        AF_INET6 => <[u8; 16]>::try_from(value)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(aligned(bytes.len()), 0);
        bytes
    }

    fn message(kind: u16, family: u8, attributes: &[&[u8]]) -> Vec<u8> {
        let body = [vec![family, 24, 0, 0, 1, 0, 0, 0], attributes.concat()].concat();
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn addresses_are_read_from_any_number_of_messages() {
        let v4 = attribute(IFA_ADDRESS, &[10, 0, 0, 9]);
        let v6 = attribute(IFA_ADDRESS, &Ipv6Addr::LOCALHOST.octets());
        let label = attribute(3, b"eth0\0");
        let datagram = [
            message(RTM_NEWADDR, AF_INET, &[&label, &v4]),
            message(RTM_GETADDR, AF_INET, &[&v4]),
            message(RTM_NEWADDR, 99, &[&v4]),
            message(RTM_DELADDR, AF_INET6, &[&v6, &label]),
        ];
        let seen = changes(&datagram.concat()).unwrap();
        let (ten, loopback) = (Ipv4Addr::new(10, 0, 0, 9), Ipv6Addr::LOCALHOST);
        assert_eq!(
            seen,
            [Change::Up(ten.into()), Change::Down(loopback.into())]
        );
    }

    #[test]
    fn on_a_point_to_point_link_our_end_is_told() {
        let other = attribute(IFA_ADDRESS, &[10, 0, 0, 1]);
        let ours = attribute(IFA_LOCAL, &[10, 0, 0, 2]);
        let seen = changes(&message(RTM_NEWADDR, AF_INET, &[&other, &ours])).unwrap();
        assert_eq!(seen, [Change::Up(Ipv4Addr::new(10, 0, 0, 2).into())]);
    }

    #[test]
    fn no_length_leads_out_of_a_datagram_or_holds_its_reader() {
        let whole = [
            message(
                RTM_NEWADDR,
                AF_INET,
                &[&attribute(IFA_ADDRESS, &[10, 0, 0, 9])],
            ),
            message(NLMSG_ERROR, 0, &[]),
        ]
        .concat();
        for end in 0..whole.len() {
            let _ = changes(&whole[..end]);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 4, 17, 255] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = changes(&bytes);
            }
        }
    }

    #[test]
    fn a_refused_dump_is_the_error_that_the_kernel_names() {
        let mut bytes = message(NLMSG_ERROR, 0, &[]);
        bytes[HEADER..HEADER + 4].copy_from_slice(&(-1_i32).to_ne_bytes());
        let error = changes(&bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn the_kernel_tells_the_loopback_address() {
        let mut news = AddressNews::watch().unwrap();
        let found = async_io::block_on(std::future::poll_fn(|cx| {
            loop {
                match ready!(news.poll_next(cx)) {
                    Ok(Change::Up(ip)) if ip == Ipv4Addr::LOCALHOST => return Poll::Ready(Ok(())),
                    Ok(_) => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }));
        found.unwrap();
    }
}
