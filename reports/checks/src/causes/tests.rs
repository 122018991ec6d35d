//! Each cause from the few facts that tell of it, in a run in which requests fail from 2.3 s to 2.5 s.
use super::*;
use crate::{
    fixture::{Story, ms},
    judge,
};
use model::{
    ContainerSpec, ContainerState, DeploymentSpec, Ended, Fact, PodSpec, PodState, Reason,
    ServiceSpec, Verdict,
};
use std::collections::BTreeMap;

/// Nothing is told of endpoints, so that nothing follows from them.
fn failing() -> Story {
    let story = Story::rollout().failing(2300..2500);
    story.without(|f| matches!(f, Fact::Endpoints { .. }))
}

fn told(story: Story) -> Vec<String> {
    let judgement = judge(&story.plan(), &story.timeline());
    judgement.causes.iter().map(Cause::written).collect()
}

fn event(object: &str, reason: &str, message: &str) -> Fact {
    Fact::Event {
        object: object.into(),
        severity: "Warning".into(),
        reason: reason.into(),
        message: message.into(),
    }
}

fn container(change: impl Fn(&mut ContainerState)) -> Fact {
    let mut container = ContainerState {
        pod: "review-new".into(),
        owner: "review".into(),
        container: "review".into(),
        image: "review:2".into(),
        ..ContainerState::default()
    };
    change(&mut container);
    Fact::Container(container)
}

fn ended(code: i32, reason: &str, until: u64) -> Fact {
    container(|c| {
        c.ended = Some(Ended {
            code,
            reason: reason.into(),
            until: until.to_string(),
            ..Ended::default()
        });
    })
}

fn waiting(word: &str, message: &str) -> Fact {
    container(|c| {
        c.waiting = Some(Reason {
            word: word.into(),
            message: message.into(),
        });
    })
}

fn labels(app: &str) -> BTreeMap<String, String> {
    [("app".to_string(), app.to_string())].into()
}

fn made(pod: &str, change: impl Fn(&mut PodSpec, &mut ContainerSpec)) -> Fact {
    let mut container = ContainerSpec {
        name: "review".into(),
        readiness: true,
        pre_stop: true,
        ..ContainerSpec::default()
    };
    let mut spec = PodSpec {
        pod: pod.into(),
        owner: "review".into(),
        labels: labels("review"),
        grace: 30,
        containers: vec![],
    };
    change(&mut spec, &mut container);
    spec.containers.push(container);
    Fact::PodSpec(spec)
}

fn service(selector: &str, target: &str) -> Fact {
    Fact::Service(ServiceSpec {
        service: "review".into(),
        selector: labels(selector),
        ports: vec![(8080, target.into())],
    })
}

fn words(pod: &str, container: &str, line: &str) -> Fact {
    Fact::LastWords {
        pod: pod.into(),
        container: container.into(),
        lines: vec!["starting".into(), line.into()],
    }
}

fn pod(change: impl Fn(&mut PodState)) -> Fact {
    let mut pod = PodState {
        name: "review-new".into(),
        uid: "new".into(),
        owner: "review".into(),
        template: "new".into(),
        phase: "Running".into(),
        ready: true,
        terminating: false,
        gone: false,
        restarts: 0,
        reason: String::new(),
    };
    change(&mut pod);
    Fact::Pod(pod)
}

fn replicas(ready: u32, desired: u32, updated: u32) -> Fact {
    Fact::Replicas {
        deployment: "review".into(),
        desired,
        updated,
        ready,
        available: ready,
    }
}

fn deployment(replicas: u32, strategy: &str, may_miss: u32, troubles: &[(&str, &str)]) -> Fact {
    let troubles = troubles.iter().map(|(word, message)| Reason {
        word: word.to_string(),
        message: message.to_string(),
    });
    Fact::Deployment(DeploymentSpec {
        deployment: "review".into(),
        replicas,
        strategy: strategy.into(),
        may_miss,
        troubles: troubles.collect(),
    })
}

#[test]
fn without_anything_seen_nothing_is_said_and_a_pass_needs_no_cause() {
    assert_eq!(told(failing()), [""; 0]);
    let story = Story::rollout().with(ms(2200), ended(137, "OOMKilled", 1));
    let judgement = judge(&story.plan(), &story.asking(vec![]).timeline());
    assert_eq!(
        judgement.causes.is_empty(),
        judgement.verdict == Verdict::Pass
    );
}

#[test]
fn memory_is_named_with_its_limit_and_counted_over_all_ends() {
    let story = failing()
        .with(
            ms(2190),
            made("review-new", |_, c| {
                c.limits.insert("memory".into(), "4Mi".into());
            }),
        )
        .with(ms(2200), ended(137, "OOMKilled", 1))
        // The same end told again, and one more.
        .with(ms(2210), ended(137, "OOMKilled", 1))
        .with(ms(2900), ended(137, "OOMKilled", 2));
    assert_eq!(
        told(story),
        [
            "+2.200 s OOMKilled: Pod/review-new: container review ended with exit code 137: \
          it used more than its memory limit of 4Mi (2 times)"
        ]
    );
}

#[test]
fn a_kill_by_liveness_says_which_probe_and_what_it_got_and_is_no_crash() {
    let got = "Liveness probe failed: Get \"http://127.1.1.3:8080/\": context deadline exceeded";
    let story = failing()
        .with(ms(2180), event("Pod/review-new", "Unhealthy", got))
        .with(
            ms(2250),
            event(
                "Pod/review-new",
                "Killing",
                "Container review failed liveness probe, will be restarted",
            ),
        )
        .with(ms(2290), ended(143, "Error", 1));
    assert_eq!(
        told(story),
        [
            "+2.250 s killed by its liveness probe: Pod/review-new: container review, which will be restarted; \
          the probe got: Get \"http://127.1.1.3:8080/\": context deadline exceeded"
        ]
    );
}

#[test]
fn a_failed_startup_probe_is_named_as_such() {
    let story = failing().with(
        ms(2250),
        event(
            "Pod/review-new",
            "Killing",
            "Container review failed startup probe, will be restarted",
        ),
    );
    assert!(told(story)[0].contains("killed by its startup probe"));
}

#[test]
fn readiness_that_fails_is_a_cause_when_the_pod_was_ready_or_never_becomes_so() {
    let refused = "Readiness probe failed: dial tcp 127.1.1.3:9999: connect: connection refused";
    let unhealthy = |pod: &str| event(pod, "Unhealthy", refused);
    // It is ready at 2.5 s: until then it only starts.
    assert_eq!(
        told(failing().with(ms(2300), unhealthy("Pod/review-new"))),
        [""; 0]
    );
    let later = failing().with(ms(2700), unhealthy("Pod/review-new"));
    assert!(told(later)[0].contains("it had been ready"));
    let never = told(failing().with(ms(2300), unhealthy("Pod/review-x")));
    assert_eq!(
        never,
        [
            "+2.300 s readiness probe fails: Pod/review-x: it was never ready; \
          the probe got: dial tcp 127.1.1.3:9999: connect: connection refused"
        ]
    );
}

#[test]
fn a_crash_is_told_with_its_exit_code_and_its_last_words_and_several_are_a_loop() {
    let once = failing()
        .with(ms(2200), ended(2, "Error", 1))
        .with(ms(2230), words("review-new", "review", "no database"));
    assert_eq!(
        told(once.clone()),
        [
            "+2.200 s crashed: Pod/review-new: container review ended with exit code 2; \
          its last words: “starting / no database”"
        ]
    );
    let twice = told(once.with(ms(2400), ended(2, "Error", 2)));
    assert!(twice[0].starts_with("+2.200 s crash loop: ") && twice[0].ends_with("(2 times)"));
}

#[test]
fn what_a_fault_or_an_order_ended_did_not_crash() {
    let ordered = container(|c| {
        c.terminating = true;
        c.ended = Some(Ended {
            code: 143,
            ..Ended::default()
        });
    });
    assert_eq!(told(failing().with(ms(2300), ordered)), [""; 0]);
    let blow = Fact::Strike(model::Strike {
        step: "roll".into(),
        number: 1,
        pod: "review-new".into(),
        workload: "review".into(),
        course: model::Course::Made,
        detail: String::new(),
    });
    let struck = failing().with(ms(2210), blow);
    assert_eq!(told(struck.with(ms(2300), ended(137, "Error", 1))), [""; 0]);
}

#[test]
fn an_image_that_is_missing_is_named() {
    let story = failing()
        .with(ms(2220), waiting("ErrImagePull", "no such image"))
        .with(ms(2230), waiting("ImagePullBackOff", "Back-off"));
    assert_eq!(
        told(story),
        [
            "+2.220 s image missing: Pod/review-new: container review waits for the image “review:2”, \
          ErrImagePull: no such image (2 times)"
        ]
    );
}

#[test]
fn a_missing_key_or_volume_is_named() {
    let missing = "couldn't find key PORT in ConfigMap mybnb/review";
    let story = failing()
        .with(ms(2220), waiting("CreateContainerConfigError", missing))
        .with(
            ms(2230),
            event("Pod/review-new", "FailedMount", "secret \"db\" not found"),
        );
    assert_eq!(
        told(story),
        [
            "+2.220 s CreateContainerConfigError: Pod/review-new: container review: couldn't find key PORT in ConfigMap mybnb/review",
            "+2.230 s volume missing: Pod/review-new: secret \"db\" not found"
        ]
    );
}

#[test]
fn a_service_that_selects_no_pod_is_named_with_its_selector_and_the_nearest_labels() {
    let pods = || {
        failing().with(ms(100), made("review-old", |_, _| {})).with(
            ms(110),
            made("alarm-1", |spec, _| {
                spec.owner = "alarm".into();
                spec.labels = labels("alarm");
            }),
        )
    };
    assert_eq!(
        told(pods().with(ms(50), service("reviewer", "8080"))),
        [
            "+0.100 s selects no pod: Service/review: its selector is app=reviewer, and no pod has that; \
          the nearest labels are app=review (pods of review)"
        ]
    );
    assert_eq!(
        told(pods().with(ms(50), service("review", "8080"))),
        [""; 0]
    );
}

#[test]
fn a_target_port_that_no_container_has_is_named() {
    let story = |target: &str| {
        failing().with(ms(50), service("review", target)).with(
            ms(100),
            made("review-old", |_, c| c.ports = vec![("http".into(), 8080)]),
        )
    };
    assert_eq!(
        told(story("web")),
        [
            "+0.050 s wrong target port: Service/review: port 8080 leads to port “web”, which no container of its pods has; \
          they have 8080 (http)"
        ]
    );
    assert!(told(story("9090"))[0].contains("leads to port “9090”"));
    assert_eq!(told(story("http")), [""; 0]);
    assert_eq!(told(story("8080")), [""; 0]);
}

#[test]
fn refused_although_a_pod_counts_as_ready_means_that_nobody_listens() {
    let story = failing()
        .endpoints(900, 1)
        .with(ms(50), service("review", "8080"))
        .with(ms(100), made("review-old", |_, _| {}));
    assert_eq!(
        told(story),
        [
            "+2.300 s connection refused: Service/review: 20 requests of “siege” were refused while it had 1 ready pod: \
          nobody listened at port 8080 of them"
        ]
    );
}

#[test]
fn a_service_that_the_gate_did_not_reach_is_named_with_the_port_it_leads_to() {
    let because = "no connection to review:8080: Connection refused; pods are well";
    let story = Story::rollout()
        .without(|f| matches!(f, Fact::Steady { .. } | Fact::Request(_)))
        .with(ms(50), service("review", "9090"))
        .with(ms(100), made("review-old", |_, _| {}))
        .with(
            ms(1000),
            Fact::NotSteady {
                because: because.into(),
            },
        );
    assert_eq!(
        told(story),
        [
            "+1.000 s nobody listens: Service/review: nobody answers at its port 8080, which leads to port 9090 of 1 ready pod"
        ]
    );
}

#[test]
fn a_port_in_use_is_told_in_the_programs_own_words() {
    let story = failing().with(ms(2200), ended(1, "Error", 1)).with(
        ms(2230),
        words("review-new", "review", "bind: Address already in use"),
    );
    let told = told(story);
    assert_eq!(
        told[0],
        "+2.230 s port in use: Pod/review-new: container review ended with the words “bind: Address already in use”"
    );
    assert!(told[1].contains("crashed"));
}

#[test]
fn a_pod_that_listens_everywhere_is_named() {
    let told = told(failing().with(
        ms(2100),
        event("Pod/review-old", "ListensEverywhere", "bind POD_IP"),
    ));
    assert_eq!(
        told,
        ["+2.100 s listens everywhere: Pod/review-old: bind POD_IP"]
    );
}

#[test]
fn pods_that_find_no_place_are_refused_or_are_thrown_out_are_named() {
    let story = failing()
        .with(
            ms(2210),
            event("Pod/review-new", "FailedScheduling", "0/1 nodes"),
        )
        .with(
            ms(2220),
            event(
                "ReplicaSet/review-1",
                "FailedCreate",
                "forbidden: exceeded quota: q",
            ),
        )
        .with(
            ms(2230),
            event("ReplicaSet/review-1", "FailedCreate", "forbidden"),
        )
        .with(
            ms(2240),
            event("Pod/review-new", "Evicted", "low on memory"),
        );
    let told = told(story);
    let whats = ["unschedulable", "refused by a quota", "refused", "evicted"];
    assert_eq!(told.len(), whats.len(), "{told:?}");
    for (cause, what) in told.iter().zip(whats) {
        assert!(cause.contains(&format!(" s {what}: ")), "{cause}");
    }
}

#[test]
fn throttling_is_told_as_the_node_tells_it() {
    let story = failing().with(
        ms(2300),
        event(
            "Pod/review-new",
            "CPUThrottled",
            "container review stood still",
        ),
    );
    assert_eq!(
        told(story),
        ["+2.300 s CPU throttled: Pod/review-new: container review stood still"]
    );
}

#[test]
fn a_rollout_that_is_stuck_or_takes_all_pods_at_once_is_named() {
    let stuck = failing().with(
        ms(2300),
        deployment(1, "", 0, &[("ProgressDeadlineExceeded", "timed out")]),
    );
    assert_eq!(
        told(stuck),
        ["+2.300 s rollout is stuck: Deployment/review: ProgressDeadlineExceeded: timed out"]
    );
    let all = failing()
        .with(
            ms(50),
            deployment(2, "maxUnavailable 100%, maxSurge 0", 2, &[]),
        )
        .with(ms(900), replicas(2, 2, 2))
        .with(ms(2210), replicas(2, 2, 0))
        .with(ms(2300), replicas(0, 2, 2))
        .with(ms(2500), replicas(1, 2, 2));
    assert_eq!(
        told(all),
        [
            "+2.300 s all pods replaced at once: Deployment/review: its strategy (maxUnavailable 100%, maxSurge 0) \
          lets all 2 pods go at the same time; no pod of it was ready from +2.300 s to +2.500 s"
        ]
    );
}

#[test]
fn one_replica_that_is_away_is_named_and_one_that_was_never_there_is_not() {
    let one = |first: u32| {
        failing()
            .with(
                ms(50),
                deployment(1, "maxUnavailable 25%, maxSurge 25%", 0, &[]),
            )
            .with(ms(900), replicas(first, 1, 1))
            .with(ms(2300), replicas(0, 1, 1))
            .with(ms(2500), replicas(1, 1, 1))
    };
    assert_eq!(
        told(one(1)),
        [
            "+2.300 s one replica: Deployment/review: nobody answers while its only pod is away; \
          no pod of it was ready from +2.300 s to +2.500 s"
        ]
    );
    assert_eq!(told(one(0)), [""; 0]);
}

#[test]
fn a_pod_that_does_not_end_in_its_grace_period_or_has_none_is_named() {
    let killed = container(|c| {
        c.terminating = true;
        c.ended = Some(Ended {
            code: 137,
            reason: "Error".into(),
            ..Ended::default()
        });
    });
    let grace = |seconds: u64| {
        let made = made("review-new", move |spec, _| spec.grace = seconds);
        failing().with(ms(2210), made)
    };
    let told_killed = told(grace(2).with(ms(2400), killed));
    assert!(
        told_killed[0].starts_with("+2.400 s killed after its grace period: Pod/review-new: container review had not ended 2 s after"),
        "{told_killed:?}"
    );
    let gone = pod(|p| p.gone = true);
    assert!(told(grace(0).with(ms(2400), gone.clone()))[0].contains("no grace period"));
    assert_eq!(told(grace(2).with(ms(2400), gone)), [""; 0]);
}

#[test]
fn a_pod_that_nothing_asks_whether_it_is_ready_is_named_when_requests_fail_from_then_on() {
    let story = |readiness: bool| {
        Story::rollout()
            .failing(2510..2600)
            .with(ms(50), service("review", "8080"))
            .with(
                ms(2205),
                made("review-new", move |_, c| c.readiness = readiness),
            )
    };
    let told_blind = told(story(false));
    assert_eq!(
        told_blind[0],
        "+2.500 s no readiness probe: Pod/review-new: container review counted as ready at +2.500 s, as soon as it was started; \
         from +2.510 s on 9 requests of “siege” failed"
    );
    assert!(!told(story(true)).iter().any(|c| c.contains("readiness")));
}

#[test]
fn a_pod_that_ends_without_a_hook_under_requests_is_named() {
    let story = |pre_stop: bool| {
        Story::rollout()
            .failing(2530..2600)
            .with(ms(50), service("review", "8080"))
            .with(
                ms(60),
                made("review-old", move |_, c| c.pre_stop = pre_stop),
            )
    };
    let told_hasty = told(story(false));
    assert!(
        told_hasty[0].starts_with(
            "+2.520 s ended under requests: Pod/review-old: it was asked to end at +2.520 s"
        ),
        "{told_hasty:?}"
    );
    assert!(!told(story(true)).iter().any(|c| c.contains("ended under")));
}

#[test]
fn the_last_words_of_a_load_worker_are_told() {
    let worker = pod(|p| {
        p.name = "load-siege-x".into();
        p.owner = "load-siege".into();
    });
    let story = failing().with(ms(1990), worker).with(
        ms(3000),
        words("load-siege-x", "worker", "too many open files"),
    );
    assert_eq!(
        told(story),
        [
            "+0.000 s load worker ended badly: load “siege”: its last words: “starting / too many open files”"
        ]
    );
}

#[test]
fn what_happens_while_the_run_tidies_up_is_no_cause() {
    let story = failing().with(ms(3600), ended(137, "OOMKilled", 1));
    assert_eq!(told(story), [""; 0]);
}
