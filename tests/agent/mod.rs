//! Single promises of the agent, turn by turn: what is decided, how heavy its writes are, what must wait for them.
//!
//! The simulator plays whole fleets; here one agent is told one thing after another, so that a broken promise has a name.

mod absence;
mod bench;
mod delivery;
mod engine_away;
mod everywhere;
mod found;
mod full;
mod health;
mod images;
mod orders;
mod pressure;
mod promises;
mod pulls;
mod rebuild;
mod recovery;
mod retention;
mod room;
mod table;
mod unsure;
mod upkeep;
mod versions;
