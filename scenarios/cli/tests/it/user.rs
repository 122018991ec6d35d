//! Whoever runs it: nobody needs rights, and where pods cannot have a world of their own the run says so.
use crate::support::{Ended, Room, Turn};
use nix::unistd::geteuid;
use std::process::Command;

fn passed(room: &Room, ended: &Ended, tier: &str) {
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let run = room.run();
    assert_eq!(run.verdict(), "pass");
    for node in run.nodes() {
        assert!(node.contains(&format!("pods {tier}")), "{node}");
    }
    assert!(run.text("report.html").contains(&format!("pods {tier}")));
}

/// Whether somebody without rights may make namespaces here.
fn nobody_has_namespaces() -> bool {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let trial = setpriv.args([
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "true",
    ]);
    trial.output().is_ok_and(|ended| ended.status.success())
}

#[test]
fn an_ordinary_user_gets_sandboxed_pods() {
    if !geteuid().is_root() {
        println!("skipped: this user is an ordinary one, as every other test shows");
        return;
    }
    if !nobody_has_namespaces() {
        println!("skipped: this machine allows ordinary users no namespaces");
        return;
    }
    let room = Room::for_everybody();
    let ended = {
        let _turn = Turn::take();
        room.scenarios_of_nobody(&["mybnb/sync-auth-down"]).end()
    };
    passed(&room, &ended, "sandboxed");
    assert_eq!(room.litter(), [""; 0]);
}

#[test]
fn an_ordinary_user_without_namespaces_gets_plain_pods() {
    let room = Room::for_everybody();
    let args = ["mybnb/sync-auth-down", "--tier", "plain"];
    let ended = {
        let _turn = Turn::take();
        if geteuid().is_root() {
            room.scenarios_of_nobody(&args).end()
        } else {
            room.scenarios(&args).end()
        }
    };
    passed(&room, &ended, "plain");
    assert_eq!(room.litter(), [""; 0]);
}
