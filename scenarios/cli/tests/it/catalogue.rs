//! The catalogue in the quick profile: what the reports showed is shown again.
use crate::support::{Room, Run, Turn, clusters};
use model::{Fact, Plan};

/// What every run leaves, beside a folder for each arm.
const REPORTS: [&str; 4] = ["report.html", "junit.xml", "result.json", "report.md"];

/// Replays a scenario on every cluster there is, and hands over each run.
fn replay(name: &str, turn: fn() -> Turn, look: impl Fn(&Run)) {
    for cluster in clusters(name) {
        let room = Room::new();
        let words: Vec<&str> = cluster.iter().map(String::as_str).collect();
        let ended = {
            let _turn = turn();
            room.scenarios(&[&[name], &words[..]].concat()).end()
        };
        assert_eq!(ended.code, Some(0), "{name}: {}\n{}", ended.out, ended.err);
        assert!(
            ended.out.contains(&format!("PASS  {name}")),
            "{}",
            ended.out
        );
        let run = room.run();
        is_complete(&run, name);
        look(&run);
        assert_eq!(room.litter(), [""; 0]);
    }
}

fn is_complete(run: &Run, name: &str) {
    let result = run.result();
    assert_eq!(
        (&result["scenario"], &result["verdict"]),
        (&name.into(), &"pass".into())
    );
    for report in REPORTS {
        assert!(!run.text(report).is_empty(), "{report} is empty");
    }
    assert!(run.text("report.html").trim_end().ends_with("</html>"));
    for arm in run.arms() {
        let plan: Plan = serde_json::from_str(&run.text(&format!("{arm}/plan.json"))).unwrap();
        assert_eq!((&*plan.scenario, &plan.arm), (name, &arm));
        let timeline = run.timeline(&arm);
        let cleaned = |o: &model::Observation| matches!(o.fact, Fact::CleanedUp { ok: true, .. });
        assert!(
            timeline.all().iter().any(cleaned),
            "{name} ({arm}) left something"
        );
    }
}

/// The findings of an arm, by the name of their check: what was measured.
fn measured(run: &Run, arm: &str, check: &str) -> String {
    let result = run.result();
    let arms = result["arms"].as_array().unwrap();
    let of_arm = arms.iter().find(|a| a["arm"] == arm).unwrap();
    let findings = of_arm["judgement"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|f| f["check"] == check).unwrap();
    finding["measured"].as_str().unwrap().into()
}

#[test]
fn all_of_mybnb_works_together() {
    replay("mybnb/preflight", Turn::alone, |run| {
        assert_eq!(run.arms(), ["main"])
    });
}

#[test]
fn without_auth_no_room_is_registered_and_with_auth_again_rooms() {
    replay("mybnb/sync-auth-down", Turn::alone, |run| {
        let answers: Vec<_> = run
            .timeline("main")
            .requests("registration-refused")
            .map(|(_, request)| (request.status, request.bytes))
            .collect();
        assert_eq!(answers, [(Some(500), 247); 2]);
    });
}

#[test]
fn of_a_thousand_rooms_registered_without_alarm_none_is_forgotten_and_none_told_twice() {
    replay("mybnb/async-alarm-down", Turn::alone, |run| {
        let lost = measured(run, "main", "no alarm is lost");
        assert!(
            lost.contains("0 lost: 1200 sent, 1200 acknowledged"),
            "{lost}"
        );
        let twice = measured(run, "main", "no alarm comes twice");
        assert_eq!(twice, "0 of 1200 found twice");
    });
}

#[test]
fn a_redeploy_loses_requests_without_probes_and_none_with_them() {
    replay("mybnb/zero-downtime", Turn::alone, |run| {
        assert_eq!(run.arms(), ["with-probes", "without-probes"]);
        assert_eq!(measured(run, "without-probes", "in one stretch"), "1");
        assert_eq!(measured(run, "with-probes", "no request fails"), "0");
    });
}
