//! What the user wants to see of a job, and for how long.

use super::super::usage::UsageError;

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// What the job printed; what happens to it goes to stderr.
    Output,
    /// The job's id, and not a word more unless something is wrong.
    Id,
    /// What the API said.
    Json,
}

/// When the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// With the job.
    End,
    /// When the job is taken.
    Taken,
}

/// What a job that is followed is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Its end.
    End,
    /// That it runs: it has no end of its own.
    Runs,
    /// That it is there: it has no replicas.
    Nothing,
}

/// Both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) shown: Shown,
    pub(super) until: Until,
}

/// The switches of `codling run` and `codling job run`, as typed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    pub(super) json: bool,
    pub(super) id_only: bool,
    pub(super) detach: bool,
}

impl Wanted {
    /// The same, but nothing is waited for.
    pub(super) fn until_taken(self) -> Self {
        Self {
            until: Until::Taken,
            ..self
        }
    }

    /// # Errors
    /// Two of them say different things about stdout.
    pub(super) fn read(switches: Switches) -> Result<Self, UsageError> {
        Ok(Self {
            shown: match (switches.json, switches.id_only) {
                (true, true) => {
                    return Err(UsageError::Exclusive {
                        flags: ["--json", "--id-only"],
                    });
                }
                (true, false) => Shown::Json,
                (false, true) => Shown::Id,
                (false, false) => Shown::Output,
            },
            until: if switches.detach {
                Until::Taken
            } else {
                Until::End
            },
        })
    }
}
