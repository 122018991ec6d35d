//! Two databases in one system, where the machine has the second, and images that are programs of this machine.
use crate::support::{Ended, Room, Turn};
use nix::unistd::geteuid;
use std::fs;

const SCENARIOS: [&str; 2] = ["airbnb/polyglot", "healthcenter/polyglot-persistence"];

/// A run ends with this code where PostgreSQL is installed, and elsewhere says how to come by it.
fn ends_with(ended: &Ended, code: i32) {
    if postgres::Programs::find().is_some() {
        assert_eq!(ended.code, Some(code), "{}\n{}", ended.out, ended.err);
    } else {
        assert_eq!(ended.code, Some(2), "{}\n{}", ended.out, ended.err);
        assert!(
            ended.out.contains("apt install postgresql"),
            "{}",
            ended.out
        );
    }
}

#[test]
fn the_same_requests_have_the_same_answers_whichever_database() {
    for name in SCENARIOS {
        let room = Room::new();
        let ended = {
            let _turn = Turn::take();
            room.scenarios(&[name]).end()
        };
        ends_with(&ended, 0);
        assert_eq!(room.litter(), [""; 0]);
    }
}

#[test]
fn rows_that_are_not_where_they_are_said_to_be_are_missed() {
    for name in SCENARIOS {
        for (mutant, code) in [("no-fault", 2), ("mechanism-off", 1)] {
            let room = Room::new();
            let ended = {
                let _turn = Turn::take();
                room.scenarios(&[name, "--mutant", mutant]).end()
            };
            ends_with(&ended, code);
        }
    }
}

#[test]
fn postgresql_runs_for_an_ordinary_user_sandboxed_or_plain() {
    if !geteuid().is_root() {
        println!("skipped: this user is an ordinary one, as every other test shows");
        return;
    }
    for more in [&[][..], &["--tier", "plain"]] {
        let room = Room::for_everybody();
        let ended = {
            let _turn = Turn::take();
            room.scenarios_of_nobody(&[&["airbnb/polyglot"], more].concat())
                .end()
        };
        ends_with(&ended, 0);
        assert_eq!(room.litter(), [""; 0]);
    }
}

#[test]
fn an_image_of_ones_own_is_a_program_of_this_machine() {
    let room = Room::new();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    for file in ["shop.yaml", "shop-restart.yaml"] {
        let text = fs::read_to_string(format!("{examples}/{file}")).unwrap();
        let text = text.replace("image: brownout:dev", "image: registry.example/shop:1");
        fs::write(room.path().join(file), text).unwrap();
    }
    let program = env!("CARGO_BIN_EXE_brownout");
    let map = format!("registry.example/shop={program}");
    let ended = {
        let _turn = Turn::alone();
        room.scenarios(&["shop-restart.yaml", "--image-map", &map])
            .end()
    };
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let again = format!(" --image-map {map}");
    assert!(ended.out.contains(&again), "{}", ended.out);
    let typo = room.scenarios(&["--image-map", "shop=/no/such"]).end();
    assert_eq!(typo.code, Some(64), "{}", typo.err);
    assert!(typo.err.contains("/no/such: No such file"), "{}", typo.err);
}
