//! A scenario can tell: without its fault it is inconclusive, without the mechanism it fails.
use crate::support::{Room, Run, Turn, clusters};
use serde_json::Value;

fn replay(name: &str, mutant: &str, turn: fn() -> Turn, code: i32, look: impl Fn(&Run)) {
    for cluster in clusters(&format!("{name} --mutant {mutant}")) {
        let room = Room::new();
        let words: Vec<&str> = cluster.iter().map(String::as_str).collect();
        let ended = {
            let _turn = turn();
            room.scenarios(&[&[name, "--mutant", mutant], &words[..]].concat())
                .end()
        };
        assert_eq!(
            ended.code,
            Some(code),
            "{name}: {}\n{}",
            ended.out,
            ended.err
        );
        look(&room.run());
    }
}

/// The verdict of each arm, with its reason.
fn verdicts(run: &Run) -> Vec<(String, String)> {
    let result = run.result();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let arms = result["arms"].as_array().unwrap();
    arms.iter()
        .map(|a| {
            (
                text(&a["judgement"]["verdict"]),
                text(&a["judgement"]["reason"]),
            )
        })
        .collect()
}

fn is_inconclusive_without(name: &str, turn: fn() -> Turn, because: &str) {
    replay(name, "no-fault", turn, 2, |run| {
        for (verdict, reason) in verdicts(run) {
            assert_eq!(verdict, "inconclusive");
            assert!(reason.contains(because), "{reason}");
        }
    });
}

fn fails_without_the_mechanism(name: &str, turn: fn() -> Turn) {
    replay(name, "mechanism-off", turn, 1, |run| {
        for (verdict, reason) in verdicts(run) {
            assert_eq!(verdict, "fail", "{reason}");
        }
    });
}

#[test]
fn preflight_has_no_fault_to_leave_out() {
    let because = "the scenario has no fault that could be replaced by nothing";
    is_inconclusive_without("mybnb/preflight", Turn::take, because);
}

#[test]
fn preflight_fails_when_auth_is_not_found() {
    fails_without_the_mechanism("mybnb/preflight", Turn::alone);
}

#[test]
fn sync_auth_down_is_inconclusive_when_auth_stays() {
    let because = "service-down of auth did not happen";
    is_inconclusive_without("mybnb/sync-auth-down", Turn::take, because);
}

#[test]
fn sync_auth_down_fails_when_nobody_asks_auth() {
    fails_without_the_mechanism("mybnb/sync-auth-down", Turn::alone);
}

#[test]
fn async_alarm_down_is_inconclusive_when_alarm_stays() {
    let because = "service-down of alarm did not happen";
    is_inconclusive_without("mybnb/async-alarm-down", Turn::take, because);
}

#[test]
fn async_alarm_down_fails_when_nothing_waits_for_alarm() {
    fails_without_the_mechanism("mybnb/async-alarm-down", Turn::alone);
}

#[test]
fn both_arms_of_zero_downtime_are_inconclusive_without_a_redeploy() {
    let because = "rollout of review did not happen";
    is_inconclusive_without("mybnb/zero-downtime", Turn::take, because);
}

#[test]
fn both_arms_of_zero_downtime_fail_with_each_others_probes() {
    fails_without_the_mechanism("mybnb/zero-downtime", Turn::alone);
}

/// Every scenario of the catalogue. It takes the better part of an hour, so it is asked for.
#[test]
fn every_scenario_can_tell() {
    const ASKED_FOR: &str = "BROWNOUT_EVERY_MUTANT";
    if std::env::var_os(ASKED_FOR).is_none() {
        println!("every_scenario_can_tell: skipped; set {ASKED_FOR}=1 to have it");
        return;
    }
    let mut wrong = vec![];
    for scenario in plan::catalog().list() {
        for (mutant, expected, code) in [
            ("no-fault", "inconclusive", 2),
            ("mechanism-off", "fail", 1),
        ] {
            let room = Room::new();
            let ended = {
                let _turn = Turn::alone();
                room.scenarios(&[scenario.name(), "--mutant", mutant]).end()
            };
            let verdicts = verdicts(&room.run());
            let is_so = verdicts.iter().all(|(verdict, _)| verdict == expected);
            if ended.code != Some(code) || !is_so {
                wrong.push(format!(
                    "{} --mutant {mutant}: {verdicts:?}",
                    scenario.name()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
