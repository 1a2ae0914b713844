//! `SimEngine`: the container engine of one host, which keeps what was released whatever becomes of its nodes.
//!
//! A job says in its image and parameters how its container behaves ([`Script`]). Each call takes effect at one moment;
//! the world decides when, and whether the reply is heard.

use codling::agent::{FoundState, Plan};
use codling::model::{
    ContainerId, DockerSpec, ExecutionId, Failure, FailureKind, NodeId, Resources,
};
use std::collections::{BTreeMap, BTreeSet};

/// As engines report SIGKILL and SIGTERM.
pub(super) const KILLED: i64 = 137;
pub(super) const TERMINATED: i64 = 143;

/// How a container behaves: the job's image and its two parameters, milliseconds and exit code.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// `here` is in the store, `pulled` must be pulled first, `absent` cannot be; with `refused` create fails, with
    /// `unstartable` start does.
    pub(super) image: String,
    /// `None`: until it is stopped.
    pub(super) run_ms: Option<u64>,
    pub(super) code: i64,
}

impl Script {
    fn of(plan: &Plan) -> Self {
        let spec = DockerSpec::from_params(&plan.job.task.engine.params).unwrap();
        Self {
            image: spec.image,
            run_ms: spec.parameters[0].parse().ok(),
            code: spec.parameters[1].parse().unwrap(),
        }
    }
}

/// How a container stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Created,
    Running,
    Exited(i64),
    /// It ran when its host lost its power. As Podman does it, it is shown as never started, and a start would run it again.
    CutOff,
}

#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) node: NodeId,
    pub(super) execution: ExecutionId,
    pub(super) resources: Resources,
    pub(super) script: Script,
    pub(super) state: State,
}

/// What an engine is asked. The last four change it.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Pull(String),
    Inspect(ContainerId),
    Output(ContainerId),
    List,
    Create(Box<Plan>),
    Start(ContainerId),
    Stop(ContainerId),
    Remove(ContainerId),
}

impl Call {
    pub(super) fn is_mutating(&self) -> bool {
        matches!(
            self,
            Self::Create(_) | Self::Start(_) | Self::Stop(_) | Self::Remove(_)
        )
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Yes,
    No,
    Created(ContainerId),
    State(State),
    List(Vec<(ContainerId, ExecutionId, FoundState)>),
    Wrong(Failure),
}

fn wrong(kind: FailureKind) -> Reply {
    Reply::Wrong(Failure::new(kind, format!("{kind:?}")))
}

/// No engine answers.
pub(super) fn away() -> Reply {
    wrong(FailureKind::EngineAway)
}

/// One engine. See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct SimEngine {
    pub(super) is_away: bool,
    /// Grows with every restart: replies of before are not heard.
    pub(super) starts: u64,
    pub(super) containers: BTreeMap<ContainerId, Container>,
    pulled: BTreeSet<String>,
    made: u64,
}

impl SimEngine {
    /// A call of `node` takes effect.
    pub(super) fn effect(&mut self, host: usize, node: &NodeId, call: &Call) -> Reply {
        match call {
            Call::Pull(image) if image == "absent" => wrong(FailureKind::ImageNotFound),
            Call::Pull(image) => {
                self.pulled.insert(image.clone());
                Reply::Yes
            }
            Call::Inspect(id) => match self.containers.get(id) {
                Some(container) => Reply::State(container.state),
                None => wrong(FailureKind::ContainerLost),
            },
            Call::Output(id) => match self.containers.get(id) {
                Some(container) => Reply::State(container.state),
                None => wrong(FailureKind::ContainerLost),
            },
            Call::List => Reply::List(self.found(node)),
            Call::Create(plan) => self.create(host, node, plan),
            Call::Start(id) => match self.containers.get_mut(id) {
                None => wrong(FailureKind::ContainerLost),
                Some(container) if container.script.image == "unstartable" => {
                    wrong(FailureKind::Entrypoint)
                }
                Some(container) if matches!(container.state, State::Created | State::CutOff) => {
                    container.state = State::Running;
                    Reply::Yes
                }
                // 304: started before.
                Some(_) => Reply::Yes,
            },
            Call::Stop(id) => {
                if let Some(container) = self.containers.get_mut(id)
                    && container.state == State::Running
                {
                    container.state = State::Exited(TERMINATED);
                }
                Reply::Yes
            }
            Call::Remove(id) => {
                self.containers.remove(id);
                Reply::Yes
            }
        }
    }

    fn create(&mut self, host: usize, node: &NodeId, plan: &Plan) -> Reply {
        let same = self
            .containers
            .iter()
            .find(|(_, container)| container.execution == plan.execution);
        match same {
            // Its name is taken: by itself, by what was started already, or by another node.
            Some((id, container))
                if container.state == State::Created && container.node == *node =>
            {
                return Reply::Created(id.clone());
            }
            Some(_) => return wrong(FailureKind::EngineRefused),
            None => {}
        }
        let script = Script::of(plan);
        if script.image == "absent"
            || script.image == "pulled" && !self.pulled.contains(&script.image)
        {
            return Reply::No;
        }
        if script.image == "refused" {
            return wrong(FailureKind::EngineRefused);
        }
        self.made += 1;
        let id = ContainerId(format!("c-{host}-{}", self.made));
        let container = Container {
            node: node.clone(),
            execution: plan.execution.clone(),
            resources: plan.resources,
            script,
            state: State::Created,
        };
        self.containers.insert(id.clone(), container);
        Reply::Created(id)
    }

    fn found(&self, node: &NodeId) -> Vec<(ContainerId, ExecutionId, FoundState)> {
        let ours = self
            .containers
            .iter()
            .filter(|(_, container)| container.node == *node);
        ours.map(|(id, container)| {
            let state = match container.state {
                State::Created => FoundState::Created,
                State::Running => FoundState::Running,
                State::Exited(_) => FoundState::Exited,
                State::CutOff => FoundState::CutOff,
            };
            (id.clone(), container.execution.clone(), state)
        })
        .collect()
    }
}
