//! status — what the API is told about a pod, from what the node knows about its containers. Pure.

mod conditions;

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, HostIP, Pod, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::HOST_ADDRESS;

/// What the node knows about a pod.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PodView {
    pub address: Option<IpAddr>,
    pub since: Timestamp,
    pub init: Vec<Record>,
    pub app: Vec<Record>,
    /// Its containers were ended because it is being deleted.
    pub stopped: bool,
}

/// One container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub name: String,
    pub image: String,
    pub restarts: u32,
    pub ready: bool,
    pub started: bool,
    pub state: State,
    pub last: Option<Ended>,
    /// Of the newest start; empty before the first.
    pub id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    Waiting {
        reason: String,
        message: Option<String>,
    },
    Running {
        since: Timestamp,
    },
    Ended(Ended),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub id: String,
    pub code: i32,
    pub reason: String,
    pub message: Option<String>,
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Record {
    pub fn new(name: &str, image: &str, waiting_for: &str) -> Record {
        Record {
            name: name.into(),
            image: image.into(),
            restarts: 0,
            ready: false,
            started: false,
            state: State::Waiting {
                reason: waiting_for.into(),
                message: None,
            },
            last: None,
            id: String::new(),
        }
    }

    /// Moves on; the end that is left behind becomes the last one.
    pub fn enter(&mut self, state: State) {
        if let State::Ended(ended) = std::mem::replace(&mut self.state, state) {
            self.last = Some(ended);
        }
        (self.ready, self.started) = (false, false);
    }

    fn exit_code(&self) -> Option<i32> {
        match &self.state {
            State::Ended(ended) => Some(ended.code),
            // It ended and waits to be started again.
            State::Waiting { .. } => self.last.as_ref().map(|last| last.code),
            State::Running { .. } => None,
        }
    }
}

/// The whole status at `now`; times of conditions that did not change are kept from `before`.
pub(crate) fn of(
    pod: &Pod,
    view: &PodView,
    before: Option<&PodStatus>,
    now: Timestamp,
) -> PodStatus {
    let spec = pod.spec.clone().unwrap_or_default();
    let phase = phase(view, spec.restart_policy.as_deref().unwrap_or("Always"));
    PodStatus {
        phase: Some(phase.into()),
        conditions: Some(conditions::of(view, phase, before, now)),
        container_statuses: Some(view.app.iter().map(container).collect()),
        init_container_statuses: (!view.init.is_empty())
            .then(|| view.init.iter().map(container).collect()),
        pod_ip: view.address.map(|address| address.to_string()),
        pod_ips: view.address.map(|address| {
            vec![PodIP {
                ip: address.to_string(),
            }]
        }),
        host_ip: Some(HOST_ADDRESS.to_string()),
        host_ips: Some(vec![HostIP {
            ip: HOST_ADDRESS.to_string(),
        }]),
        start_time: Some(time(view.since)),
        qos_class: pod
            .status
            .as_ref()
            .and_then(|status| status.qos_class.clone()),
        ..PodStatus::default()
    }
}

fn phase(view: &PodView, policy: &str) -> &'static str {
    if let Some(record) = view
        .init
        .iter()
        .find(|record| record.exit_code() != Some(0))
    {
        let failed = record.exit_code().is_some() && (policy == "Never" || view.stopped);
        return if failed { "Failed" } else { "Pending" };
    }
    let is_running = |record: &Record| matches!(record.state, State::Running { .. });
    let never_ran =
        |record: &Record| matches!(record.state, State::Waiting { .. }) && record.last.is_none();
    if view.app.iter().any(never_ran) {
        return if view.stopped { "Failed" } else { "Pending" };
    }
    if view.app.iter().any(is_running) {
        return "Running";
    }
    let all_well = view.app.iter().all(|record| record.exit_code() == Some(0));
    match policy {
        _ if view.stopped => {
            if all_well {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        "Always" => "Running",
        _ if all_well => "Succeeded",
        "Never" => "Failed",
        // Those that failed are about to be started again.
        _ => "Running",
    }
}

fn container(record: &Record) -> ContainerStatus {
    ContainerStatus {
        name: record.name.clone(),
        image: record.image.clone(),
        image_id: record.image.clone(),
        container_id: (!record.id.is_empty()).then(|| record.id.clone()),
        ready: record.ready,
        started: Some(record.started),
        restart_count: record.restarts.cast_signed(),
        state: Some(state(&record.state)),
        last_state: record
            .last
            .as_ref()
            .map(|last| state(&State::Ended(last.clone()))),
        ..ContainerStatus::default()
    }
}

fn state(state: &State) -> ContainerState {
    let mut told = ContainerState::default();
    match state {
        State::Waiting { reason, message } => {
            told.waiting = Some(ContainerStateWaiting {
                reason: Some(reason.clone()),
                message: message.clone(),
            });
        }
        State::Running { since } => {
            told.running = Some(ContainerStateRunning {
                started_at: Some(time(*since)),
            })
        }
        State::Ended(ended) => {
            told.terminated = Some(ContainerStateTerminated {
                container_id: (!ended.id.is_empty()).then(|| ended.id.clone()),
                exit_code: ended.code,
                reason: Some(ended.reason.clone()),
                message: ended.message.clone(),
                started_at: Some(time(ended.since)),
                finished_at: Some(time(ended.until)),
                ..ContainerStateTerminated::default()
            });
        }
    }
    told
}

fn time(at: Timestamp) -> Time {
    Time(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn ended(code: i32) -> State {
        let reason = if code == 0 { "Completed" } else { "Error" };
        State::Ended(Ended {
            id: "c".into(),
            code,
            reason: reason.into(),
            message: None,
            since: at(0),
            until: at(1),
        })
    }

    fn record(state: State) -> Record {
        let ready = matches!(state, State::Running { .. });
        Record {
            state,
            ready,
            started: ready,
            ..Record::new("c", "busybox", "ContainerCreating")
        }
    }

    fn waiting() -> State {
        Record::new("c", "", "ContainerCreating").state
    }

    fn running() -> State {
        State::Running { since: at(0) }
    }

    fn view(init: Vec<State>, app: Vec<State>) -> PodView {
        let records = |states: Vec<State>| states.into_iter().map(record).collect();
        PodView {
            address: "127.1.0.5".parse().ok(),
            since: at(0),
            init: records(init),
            app: records(app),
            stopped: false,
        }
    }

    fn status(policy: &str, view: &PodView) -> PodStatus {
        of(
            &from_value(json!({"spec": {"containers": [], "restartPolicy": policy}})).unwrap(),
            view,
            None,
            at(9),
        )
    }

    fn phase_of(policy: &str, init: Vec<State>, app: Vec<State>) -> String {
        status(policy, &view(init, app)).phase.unwrap()
    }

    #[test]
    fn a_pod_is_pending_until_every_container_has_run() {
        assert_eq!(
            phase_of("Always", vec![waiting()], vec![waiting()]),
            "Pending"
        );
        assert_eq!(
            phase_of("Always", vec![ended(1)], vec![waiting()]),
            "Pending"
        );
        assert_eq!(
            phase_of("Always", vec![ended(0)], vec![waiting(), running()]),
            "Pending"
        );
        assert_eq!(
            phase_of("Always", vec![ended(0)], vec![running(), running()]),
            "Running"
        );
    }

    #[test]
    fn rst_4_policies_decide_what_an_end_means() {
        let phases = |code| {
            ["Always", "OnFailure", "Never"]
                .map(|policy| phase_of(policy, vec![], vec![ended(code)]))
        };
        assert_eq!(phases(0), ["Running", "Succeeded", "Succeeded"]);
        assert_eq!(phases(1), ["Running", "Running", "Failed"]);
        assert_eq!(phase_of("Never", vec![ended(1)], vec![waiting()]), "Failed");
    }

    #[test]
    fn rst_2_a_container_in_back_off_leaves_its_pod_running_and_not_ready() {
        let mut looping = record(running());
        looping.enter(ended(1));
        looping.enter(State::Waiting {
            reason: "CrashLoopBackOff".into(),
            message: None,
        });
        let status = status(
            "Always",
            &PodView {
                app: vec![looping],
                ..view(vec![], vec![])
            },
        );
        assert_eq!(status.phase.as_deref(), Some("Running"));
        let container = &status.container_statuses.unwrap()[0];
        let last = container
            .last_state
            .as_ref()
            .and_then(|last| last.terminated.as_ref())
            .map(|last| last.exit_code);
        assert_eq!((container.ready, last), (false, Some(1)));
    }

    #[test]
    fn a_deleted_pod_ends_by_its_exit_codes() {
        let stopped = |code| {
            status(
                "Always",
                &PodView {
                    stopped: true,
                    ..view(vec![], vec![ended(code)])
                },
            )
            .phase
            .unwrap()
        };
        assert_eq!([stopped(0), stopped(137)], ["Succeeded", "Failed"]);
    }

    #[test]
    fn conditions_name_the_containers_and_keep_their_times_while_they_do_not_change() {
        let before = status("Always", &view(vec![], vec![waiting()]));
        let told = |status: &PodStatus, kind: &str| {
            let all = status.conditions.clone().unwrap();
            let found = all
                .into_iter()
                .find(|condition| condition.type_ == kind)
                .unwrap();
            (
                found.status,
                found.message.unwrap_or_default(),
                found.last_transition_time.unwrap().0,
            )
        };
        let unready = (
            "False".into(),
            "containers with unready status: [c]".into(),
            at(9),
        );
        assert_eq!(told(&before, "Ready"), unready);
        let pod = from_value(json!({"spec": {"containers": []}})).unwrap();
        let later = of(&pod, &view(vec![], vec![running()]), Some(&before), at(20));
        assert_eq!(
            told(&later, "Ready"),
            ("True".into(), String::new(), at(20))
        );
        assert_eq!(told(&later, "Initialized").2, at(9));
    }
}
