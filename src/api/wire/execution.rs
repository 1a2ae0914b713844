//! An execution as clients read it (rest-api.md 3.7), its states as the integers of 3.12.

use super::Json;
use super::job::spec;
use super::node::resources;
use super::time::nanoseconds;
use crate::model::{DesiredState, Execution, ExecutionState, Job, RunOutput};

/// The integer of a compute state. 0 is "undefined" and never sent; the swarm counts differently.
fn state_number(state: ExecutionState) -> u64 {
    match state {
        ExecutionState::New => 1,
        ExecutionState::AskForBid => 2,
        ExecutionState::AskForBidAccepted => 3,
        ExecutionState::AskForBidRejected => 4,
        ExecutionState::BidAccepted => 5,
        ExecutionState::Running => 6,
        ExecutionState::Publishing => 7,
        ExecutionState::BidRejected => 8,
        ExecutionState::Completed => 9,
        ExecutionState::Failed => 10,
        ExecutionState::Cancelled => 11,
    }
}

/// The integer of a desired state.
fn desired_number(state: DesiredState) -> u64 {
    match state {
        DesiredState::Pending => 0,
        DesiredState::Running => 1,
        DesiredState::Stopped => 2,
    }
}

/// One execution. The snapshot of its job, which no client needs, is left out.
pub(in crate::api) fn execution(execution: &Execution, job: &Job) -> Json {
    let allocated = match resources(&execution.allocated) {
        Json::Object(quantities) if quantities.is_empty() => Json::object(),
        quantities => Json::object().with(job.task.name.clone(), quantities),
    };
    Json::object()
        .with("ID", execution.id.as_str())
        .with("Namespace", execution.namespace.as_str())
        .with("EvalID", execution.evaluation_id.as_str())
        .with("Name", "")
        .with("NodeID", execution.node_id.as_str())
        .with("JobID", execution.job_id.as_str())
        .with("JobVersion", execution.job_version)
        .with(
            "AllocatedResources",
            Json::object().with("Tasks", allocated),
        )
        .with(
            "DesiredState",
            state(
                desired_number(execution.desired),
                &execution.desired_message,
            ),
        )
        .with(
            "ComputeState",
            state(state_number(execution.state), &execution.state_message),
        )
        .with("PublishedResult", spec(&execution.published))
        .with("RunOutput", run_output(execution))
        .with("PreviousExecution", "")
        .with("NextExecution", "")
        .with("FollowupEvalID", "")
        .with_some("PartitionIndex", u64::from(execution.partition))
        .with("Revision", execution.revision)
        .with("CreateTime", nanoseconds(execution.created))
        .with("ModifyTime", nanoseconds(execution.modified))
}

fn state(number: u64, message: &str) -> Json {
    Json::object()
        .with("StateType", number)
        .with_some("Message", message)
}

/// What it printed; null while there is nothing to show. A failure's message goes into `ErrorMsg`, which clients print
/// instead of output; an exit code other than 0 is no failure.
fn run_output(execution: &Execution) -> Json {
    let failure = match execution.state {
        ExecutionState::Failed => execution.state_message.as_str(),
        _ => "",
    };
    let silent = RunOutput::default();
    let output = match &execution.run_output {
        Some(output) => output,
        None if failure.is_empty() => return Json::Null,
        None => &silent,
    };
    Json::object()
        .with("Stdout", text(&output.stdout))
        .with("StdoutTruncated", output.stdout_truncated)
        // The one lower-case key among them is upstream's, and clients read it so.
        .with("stderr", text(&output.stderr))
        .with("StderrTruncated", output.stderr_truncated)
        .with("ExitCode", output.exit_code)
        .with("ErrorMsg", failure)
}

/// Output as text. Its bytes were cut at a fixed length, so a character that was cut at the end is left out rather than
/// replaced; invalid bytes elsewhere are replaced.
fn text(bytes: &[u8]) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => return text.to_owned(),
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        Err(_) => bytes,
    };
    String::from_utf8_lossy(whole).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_execution_state_has_the_integer_that_clients_know() {
        let numbers: Vec<u64> = ExecutionState::ALL.into_iter().map(state_number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        let terminal: Vec<u64> = ExecutionState::ALL
            .into_iter()
            .filter(|state| state.is_terminal())
            .map(state_number)
            .collect();
        assert_eq!(
            terminal,
            [4, 8, 9, 10, 11],
            "as rest-api.md 3.12 lists them"
        );
        let desired: Vec<u64> = DesiredState::ALL.into_iter().map(desired_number).collect();
        assert_eq!(desired, [0, 1, 2]);
    }

    #[test]
    fn a_character_cut_at_the_end_is_left_out_and_a_wrong_byte_is_replaced() {
        assert_eq!(text("ab\u{e4}".as_bytes()), "ab\u{e4}");
        assert_eq!(text(&"ab\u{e4}".as_bytes()[..3]), "ab");
        assert_eq!(text(b"a\xffb"), "a\u{fffd}b");
    }
}
