//! What a client may take, each bound with its reason.

use std::time::Duration;

/// The bounds of one server. [`Limits::STANDARD`] is what a node uses; tests make them small.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. A fleet tool and its retries need dozens; 256 cost some 3 MB at worst and stay far below the
    /// usual 1,024 descriptors. Beyond it the connection that has been idle longest is closed; while none is idle, new
    /// ones wait in the kernel's backlog.
    pub connections: usize,
    /// Connections that follow a log; beyond it they are refused. Half of the table, so that followers that stay for days
    /// leave room for everybody else.
    pub followers: usize,
    /// Bytes of a request line with its headers; beyond it 431. Browsers and proxies stop at 8 to 16 KiB.
    pub head_bytes: usize,
    /// Time from the end of one request (or the connection) to the end of the next head; then the connection is closed.
    /// It ends slow heads and idle keep-alive connections alike. The CLI polls twice a second.
    pub head_time: Duration,
    /// Bytes of one body; beyond it 413, on `Content-Length` before a byte is read. As the original server.
    pub body_bytes: usize,
    /// Bytes of all bodies that are being read or decided on; beyond it 503. Two of the largest and some small ones:
    /// what a board of 512 MB can lose for a moment.
    pub bodies_bytes: usize,
    /// Time for one body; then 408. Ten megabytes over a link of 3 Mbit/s.
    pub body_time: Duration,
    /// Time for the decision, from the end of the body; then 503 "outcome unknown". Below the 30 s of common proxies.
    pub answer_time: Duration,
    /// How long written bytes may stay unacknowledged, or the client's window closed; then the connection is cut. A client
    /// that does not read its answers would hold them for ever.
    pub write_time: Duration,
    /// How long an idle connection that was told to close may take (it may be in the middle of a head).
    pub close_time: Duration,
    /// How long, and how many bytes of, a refused body are read and dropped so that the client sees the refusal and not a
    /// reset.
    pub linger_time: Duration,
    /// See `linger_time`; one that sends 100 MB without asking first is told why not.
    pub linger_bytes: usize,
}

impl Limits {
    /// What a node uses.
    pub const STANDARD: Self = Self {
        connections: 256,
        followers: 128,
        head_bytes: 16 * 1024,
        head_time: Duration::from_secs(10),
        body_bytes: 10 * 1024 * 1024,
        bodies_bytes: 24 * 1024 * 1024,
        body_time: Duration::from_secs(30),
        answer_time: Duration::from_secs(25),
        write_time: Duration::from_secs(30),
        close_time: Duration::from_secs(1),
        linger_time: Duration::from_secs(2),
        linger_bytes: 128 * 1024 * 1024,
    };
}

/// The first pause after an accept error that is not the connection's own (out of descriptors or memory), and the last:
/// long enough not to spin, short enough that a client's retry succeeds.
pub(super) const ACCEPT_PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
];
