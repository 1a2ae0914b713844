//! How a call goes wrong.

use super::Endpoint;
use std::time::Duration;

/// What the engine does instead of answering properly.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Takes the request and does and answers nothing, for as long as the client stays.
    Hang,
    /// Does what was asked and answers nothing.
    DoAndHang,
    /// Does what was asked and answers when `release_replies` is called.
    Held,
    /// Closes the connection without a byte.
    Close,
    /// Does what was asked and closes the connection without a byte.
    DoAndClose,
    /// Sends half of the reply and closes its side.
    HalfReply,
    /// Sends bytes that are no HTTP.
    Garbage,
    /// A status of 200 and text that is not what the API promises.
    Body(Vec<u8>),
    /// A header that does not end.
    HugeHeader,
    /// A body that does not end.
    EndlessBody,
    /// One byte of body from time to time.
    Trickle(Duration),
    /// Does nothing and answers this status with this message.
    Status(u16, &'static str),
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// The next call.
    Once,
    /// Only the call with this number from now on, 1 being the next.
    Nth(usize),
    /// All calls until `heal`.
    Always,
}

/// A fault that waits for its call.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) endpoint: Endpoint,
    pub(super) fault: Fault,
    pub(super) times: Times,
}

/// The fault for a call to `endpoint`, if one is planned.
pub(super) fn take(planned: &mut Vec<Planned>, endpoint: Endpoint) -> Option<Fault> {
    let index = planned.iter().position(|p| p.endpoint == endpoint)?;
    if let Times::Nth(number @ 2..) = planned[index].times {
        planned[index].times = Times::Nth(number - 1);
        return None;
    }
    match planned[index].times {
        Times::Once | Times::Nth(_) => Some(planned.remove(index).fault),
        Times::Always => Some(planned[index].fault.clone()),
    }
}
