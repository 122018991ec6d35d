//! Several runs on one machine: at the same time, and one after the other.
use crate::support::{Room, Turn};

#[test]
fn two_runs_at_the_same_time_do_not_meet() {
    let _turn = Turn::alone();
    let room = Room::new();
    let both = [0, 1].map(|_| room.scenarios(&["mybnb/sync-auth-down"]));
    for started in both {
        let ended = started.end();
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    }
    let runs = room.all_runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    for run in runs {
        assert_eq!(run.verdict(), "pass");
    }
}

#[test]
fn one_after_the_other_they_are_summed_up_and_in_one_junit_file() {
    let _turn = Turn::alone();
    let room = Room::new();
    let names = ["dr/gateway", "dr/user-registration"];
    let started = room.scenarios(&[&names[..], &["--junit", "all.xml"]].concat());
    let ended = started.end();
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let (out, junit) = (
        &ended.out,
        std::fs::read_to_string(room.path().join("all.xml")).unwrap(),
    );
    assert!(out.contains("\n1 of 2 scenarios after "), "{out}");
    assert!(
        out.contains(" s: 2 pass, 0 fail, 0 inconclusive\n"),
        "{out}"
    );
    for name in names {
        let line = out
            .lines()
            .find(|line| line.ends_with(name) && line.starts_with("  pass "));
        assert!(line.is_some_and(|line| line.contains(" s  ")), "{out}");
        assert!(junit.contains(name), "{junit}");
    }
}
