//! Two runs on one machine.
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
