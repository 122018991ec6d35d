//! Every way out: whatever ends a run, nothing of it stays on the machine, and what was seen until then can be judged.
use crate::{
    machine::{self, Process},
    support::{Ended, Room, Run, Started, Turn, eventually},
};
use model::{Fact, Observation, Timeline, observation::Phase};
use nix::sys::signal::Signal;
use std::{collections::BTreeSet, fs, time::Duration};

/// A fault is in place while this one sends requests for some seconds.
const SCENARIO: &str = "mybnb/async-alarm-down";
const LOAD: &str = "rooms-registered";
const FAULT: &str = "alarm-down";

/// The way to the middle of a scenario, or out of it in order.
const SOON: Duration = Duration::from_secs(60);
/// What nobody is there to end in order any more is gone in this time.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A run in the middle of something.
struct Interrupted {
    started: Started,
    room: Room,
    processes: BTreeSet<Process>,
    _turn: Turn,
}

/// Starts the scenario and waits until its timeline is as wanted.
fn interrupted(args: &[&str], wanted: impl Fn(&Timeline) -> bool) -> Interrupted {
    let turn = Turn::take();
    let room = Room::new();
    let started = room.scenarios(&[&[SCENARIO], args].concat());
    until(&room, wanted);
    let processes = machine::descendants(started.id());
    Interrupted {
        started,
        room,
        processes,
        _turn: turn,
    }
}

fn until(room: &Room, wanted: impl Fn(&Timeline) -> bool) {
    eventually("the timeline is as wanted", SOON, || {
        let runs = room.all_runs();
        let file = runs.first()?.path().to_owned() + "/main/timeline.jsonl";
        let timeline = Timeline::parse(&fs::read_to_string(file).ok()?).unwrap();
        wanted(&timeline).then_some(())
    });
}

/// Requests are being answered.
fn under_load(timeline: &Timeline) -> bool {
    timeline.requests(LOAD).count() > 100
}

fn has(timeline: &Timeline, fact: impl Fn(&Fact) -> bool) -> bool {
    timeline
        .all()
        .iter()
        .any(|seen: &Observation| fact(&seen.fact))
}

impl Interrupted {
    /// Pods with the load worker among them, each a keeper and a program.
    fn is_busy(&self) {
        assert!(self.processes.len() >= 8, "{:?}", self.processes);
    }

    fn nothing_stays(&self) {
        let left = || machine::left(&self.processes, self.room.mark());
        eventually("every process is gone", AT_ONCE, || {
            left().is_empty().then_some(())
        });
        assert_eq!(self.room.litter(), [""; 0]);
    }

    /// Judges what is on disk, with a new page.
    fn judged(&self) -> (Run, Ended) {
        let run = self.room.run();
        // A killed run has none yet.
        let _ = fs::remove_file(format!("{}/report.html", run.path()));
        let ended = self.room.ask(&["report", run.path()]);
        assert!(run.text("report.html").contains("</html>"), "{}", ended.err);
        assert_eq!(run.verdict(), "inconclusive");
        (run, ended)
    }

    /// What `recover` sees to without a word: empty control groups.
    fn nothing_to_recover(&self) {
        let ended = self.room.ask(&["recover"]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(
            ended.out.starts_with("Nothing was left behind"),
            "{}",
            ended.out
        );
        assert_eq!(machine::control_groups(self.started.id()), [""; 0]);
    }
}

/// Asked by a signal it undoes, says so, and ends with 3.
fn ends_in_order(args: &[&str], signal: Signal) {
    let mut run = interrupted(args, under_load);
    run.is_busy();
    run.started.send(signal);
    let ended = run.started.end_within(SOON);
    assert_eq!(ended.code, Some(3), "{}\n{}", ended.out, ended.err);
    assert!(
        ended
            .err
            .contains(&format!("{signal}: stopping and undoing")),
        "{}",
        ended.err
    );
    run.nothing_stays();
    let timeline = run.room.run().timeline("main");
    assert!(has(
        &timeline,
        |f| matches!(f, Fact::Stopped { by } if by == signal.as_str())
    ));
    assert!(has(
        &timeline,
        |f| matches!(f, Fact::Undone { step, .. } if step == FAULT)
    ));
    assert!(has(&timeline, |f| matches!(
        f,
        Fact::CleanedUp { ok: true, .. }
    )));
    let (_, again) = run.judged();
    assert_eq!(again.code, Some(3), "{}", again.out);
    run.nothing_to_recover();
}

#[test]
fn ctrl_c_under_load_undoes_and_ends_with_3() {
    ends_in_order(&[], Signal::SIGINT);
}

#[test]
fn sigterm_under_load_undoes_and_ends_with_3_in_the_plain_tier_too() {
    ends_in_order(&["--tier", "plain"], Signal::SIGTERM);
}

#[test]
fn a_terminal_that_closes_undoes_and_ends_with_3() {
    ends_in_order(&[], Signal::SIGHUP);
}

#[test]
fn ctrl_c_while_the_system_starts_leaves_nothing() {
    let gating = |f: &Fact| {
        *f == Fact::Phase {
            phase: Phase::Gating,
        }
    };
    let mut run = interrupted(&[], |timeline| has(timeline, gating));
    run.started.send(Signal::SIGINT);
    let ended = run.started.end_within(SOON);
    assert_eq!(ended.code, Some(3), "{}\n{}", ended.out, ended.err);
    run.nothing_stays();
    let timeline = run.room.run().timeline("main");
    assert!(!has(&timeline, |f| matches!(f, Fact::Injected { .. })));
    assert_eq!(run.judged().1.code, Some(3));
}

#[test]
fn a_timeline_that_cannot_be_written_ends_the_run_at_once_and_undone() {
    let _turn = Turn::take();
    let room = Room::new();
    let ended = room.scenarios_in_little_room(&[SCENARIO], 300).end();
    assert_eq!(ended.code, Some(70), "{}\n{}", ended.out, ended.err);
    let said = "main: the timeline could not be written: File too large (os error 27); the run was stopped and everything undone";
    assert!(ended.err.contains(said), "{}", ended.err);
    let run = room.run();
    assert!(under_load(&run.timeline("main")), "what was written counts");
    assert!(run.text("main/journal.jsonl").contains("clean"));
    assert_eq!(room.ask(&["report", run.path()]).code, Some(2));
}

#[test]
fn two_signals_at_once_are_one() {
    let mut run = interrupted(&[], under_load);
    run.started.send(Signal::SIGTERM);
    run.started.send(Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    run.started.send(Signal::SIGTERM);
    let ended = run.started.end_within(SOON);
    assert_eq!(ended.code, Some(3), "{}\n{}", ended.out, ended.err);
    run.nothing_stays();
    assert_eq!(run.judged().1.code, Some(3));
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_anything() {
    let mut run = interrupted(&[], under_load);
    run.is_busy();
    run.started.send(Signal::SIGINT);
    until(&run.room, |timeline| {
        has(timeline, |f| matches!(f, Fact::Stopped { .. }))
    });
    // Sooner it would be the same one.
    std::thread::sleep(Duration::from_millis(1100));
    run.started.send(Signal::SIGINT);
    let ended = run.started.end_within(AT_ONCE);
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.out, ended.err);
    assert!(ended.err.contains("left at once"), "{}", ended.err);
    run.nothing_stays();
    let (_, again) = run.judged();
    assert_eq!(again.code, Some(4), "{}\n{}", again.out, again.err);
    run.nothing_to_recover();
}

/// Killed it cannot do anything any more, and nothing stays all the same.
fn ends_with_its_process(args: &[&str]) {
    let mut run = interrupted(args, under_load);
    run.is_busy();
    run.started.send(Signal::SIGKILL);
    let ended = run.started.end_within(AT_ONCE);
    assert_eq!(ended.code, None);
    run.nothing_stays();
    let timeline = run.room.run().timeline("main");
    assert!(under_load(&timeline) && !has(&timeline, |f| matches!(f, Fact::CleanedUp { .. })));
    let (judged, again) = run.judged();
    assert_eq!(again.code, Some(2), "{}", again.out);
    let reason = judged.result()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("did not come to its end"), "{reason}");
    run.nothing_to_recover();
}

#[test]
fn a_killed_run_takes_its_sandboxed_pods_with_it_and_can_be_judged() {
    ends_with_its_process(&[]);
}

#[test]
fn a_killed_run_takes_its_plain_pods_with_it_and_can_be_judged() {
    ends_with_its_process(&["--tier", "plain"]);
}
