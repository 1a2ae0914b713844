//! Reads what this machine is; decides nothing.
//!
//! Everything is read below a root directory given by the caller (`/` in production, a tree of files in tests), except
//! what only a system call tells: the CPUs this process may use, the space of a filesystem, the clocks.
//!
//! | File | Reads |
//! |---|---|
//! | `facts` | cores, memory, disk |
//! | `clock` | CLOCK_BOOTTIME, the wall clock, the boot id |
//! | `account` | whose process this is, and which homes it can write |
//! | `port_holder` | which process listens on a port, for an error message |
//! | `sensors` | memory, pressure, temperature, power and disk of this moment |
//! | `memory_controller` | whether the kernel can limit the memory of containers |
//! | `process` | what this process weighs, and which build it is |
//! | `papers` | what the system says of itself in small files, word for word |
//! | `journal` | whether stderr leads to systemd's journal |
//! | `distribution` | which packages this system takes, for the line that installs an engine |

mod account;
mod clock;
mod distribution;
mod error;
mod facts;
mod journal;
mod memory_controller;
mod papers;
mod port_holder;
mod process;
mod sensors;

pub use account::{Account, read_account};
pub use clock::{BootClock, EARLIEST_WALL};
pub use distribution::{InitSystem, engine_install_line, read_init_system};
pub use error::BoardError;
pub use facts::read_facts;
pub use journal::stderr_is_journal;
pub use memory_controller::read_memory_controller;
pub use papers::read_papers;
pub use port_holder::port_holder;
pub use process::{read_build_id, read_process};
pub use sensors::Sensors;
