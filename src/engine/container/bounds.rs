//! Every bound on what an engine may send (how long it may take: `patience`). An engine is trusted, but it can be broken, and a
//! board has little memory.

use super::super::ApiVersion;
use std::time::Duration;

/// Newest API version that the calls here were written for.
pub(super) const API_MAX: ApiVersion = ApiVersion {
    major: 1,
    minor: 44,
};
/// Oldest API version in the field that has all of them: Podman 3.4 (Ubuntu 22.04, JetPack 6).
pub(super) const API_FLOOR: ApiVersion = ApiVersion {
    major: 1,
    minor: 40,
};

/// A reply's header. Engines send about 400 bytes; hyper's buffer cannot be smaller than this.
pub(super) const HEADER_MAX: usize = 16 << 10;
/// Header lines of a reply. Engines send about ten.
pub(super) const HEADER_LINES_MAX: usize = 64;
/// The body of a reply about one thing. An inspect is 4 kB, and as long as its job's environment.
pub(super) const BODY_MAX: usize = 1 << 20;
/// A list of this node's containers: 700 bytes each and their labels.
pub(super) const LIST_MAX: usize = 8 << 20;
/// The body of an error. Longer ones are cut, not refused.
pub(super) const ERROR_BODY_MAX: usize = 64 << 10;
/// An engine's words, as they go into our messages.
pub(super) const WORDS_MAX: usize = 512;
/// One line of progress of a pull or a load.
pub(super) const LINE_MAX: usize = 64 << 10;
/// All progress of one pull or load: a day of Docker's ten lines a second.
pub(super) const PROGRESS_MAX: u64 = 256 << 20;
/// Layers counted of one pull: engines themselves take no image of more than 127.
pub(super) const LAYERS_MAX: usize = 128;
/// Warnings kept of one create.
pub(super) const WARNINGS_MAX: usize = 16;
/// Image names kept of one archive.
pub(super) const LOADED_MAX: usize = 64;
/// What one read takes from an archive that is loaded.
pub(super) const ARCHIVE_CHUNK: usize = 64 << 10;

/// Pause before another try when it is full.
pub(super) const BACKLOG_PAUSE: Duration = Duration::from_millis(20);
/// How soon after its process has ended an engine is asked what it knows; doubled until `SETTLE_PAUSE_MAX`.
pub(super) const SETTLE_PAUSE: Duration = Duration::from_millis(2);
/// Most between two of those questions.
pub(super) const SETTLE_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long an engine may keep one wait for the end of a container: one that has died without closing it is noticed.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(3_600);
