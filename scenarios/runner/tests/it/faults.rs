//! A fault takes effect, is proven, and is taken back.
use crate::world::*;
use model::{Fact, Micros, observation::Phase};
use node::runtime::{Script, Simulated};
use std::time::Duration;

fn proven(fact: &Fact) -> bool {
    matches!(fact, Fact::Proven { step, .. } if step == "auth-down")
}

fn undone(fact: &Fact) -> bool {
    matches!(fact, Fact::Undone { step, .. } if step == "auth-down")
}

fn entered(phase: Phase) -> impl Fn(&Fact) -> bool {
    move |fact| *fact == Fact::Phase { phase }
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_the_middle_of_a_load_is_proven_and_what_no_step_undoes_is_undone_at_the_end() {
    let world = World::new(Simulated::new().with(WORKER, worker(10)));
    let at = Micros::from_secs(4);
    let seen = world
        .run(&plan(vec![
            load("calls", after(&[])),
            auth_down("auth-down", during("calls", at)),
        ]))
        .await;
    let steady = seen.after(0, |f| matches!(f, Fact::Steady { .. }));
    let began = seen.after(
        steady,
        |f| matches!(f, Fact::StepBegan { step } if step == "calls"),
    );
    let injected = seen.after(began, |f| matches!(f, Fact::Injected { .. }));
    let waited = seen.between(began, injected);
    assert!((4.0..5.0).contains(&waited.as_secs_f64()), "{waited:?}");
    let proven = seen.after(injected, proven);
    let ended = seen.after(proven, |f| {
        matches!(f, Fact::LoadEnded { finished: 10, .. })
    });
    let recovering = seen.after(ended, entered(Phase::Recovering));
    let undone = seen.after(recovering, undone);
    seen.after(undone, entered(Phase::Draining));
    assert_eq!(seen.ended(), [("auth-down", true), ("calls", true)]);
    assert_eq!(seen.0.requests("calls").count(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_undo_ends_when_the_service_is_back() {
    let slow = Script {
        ready_after: Duration::from_secs(20),
        ..Script::default()
    };
    let world = World::new(Simulated::new().with(WORKER, worker(1)).with("auth", slow));
    let seen = world
        .run(&plan(vec![
            auth_down("auth-down", after(&[])),
            requests("without", after(&["auth-down"])),
            undo("auth-back", after(&["without"]), "auth-down"),
            requests("with", after(&["auth-back"])),
        ]))
        .await;
    let steps = ["auth-down", "without", "auth-back", "with"];
    assert_eq!(seen.ended(), steps.map(|step| (step, true)));
    let back = seen.after(
        0,
        |f| matches!(f, Fact::StepBegan { step } if step == "auth-back"),
    );
    let undone = seen.after(back, undone);
    assert!(seen.between(back, undone) >= Duration::from_secs(20));
    // Once is enough.
    let recovering = seen.after(undone, entered(Phase::Recovering));
    assert_eq!(
        seen.after(recovering, entered(Phase::Draining)),
        recovering + 1
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_does_not_take_effect_ends_the_plan_and_is_undone_all_the_same() {
    let stubborn = Script {
        on_term: None,
        ..Script::default()
    };
    let world = World::new(
        Simulated::new()
            .with(WORKER, worker(1))
            .with("auth", stubborn),
    );
    let mut plan = plan(vec![
        auth_down("auth-down", after(&[])),
        requests("without", after(&["auth-down"])),
    ]);
    with_pod_spec(
        &mut plan,
        "auth",
        "terminationGracePeriodSeconds",
        70.into(),
    );
    let seen = world.run(&plan).await;
    let unproven = seen.after(
        0,
        |f| matches!(f, Fact::Unproven { step, .. } if step == "auth-down"),
    );
    seen.after(unproven, undone);
    assert_eq!(seen.ended(), [("auth-down", false)]);
    assert!(!seen.has(|f| matches!(f, Fact::StepBegan { step } if step == "without")));
    let why = seen.detail("auth-down");
    assert!(
        why.starts_with("service-down had not taken effect within 54s"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_undo_of_what_was_never_done_is_harmless() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let mut steps = vec![undo("auth-back", after(&[]), "auth-down")];
    steps.push(auth_down("auth-down", after(&["auth-back"])));
    let seen = world.run(&plan(steps)).await;
    assert_eq!(seen.detail("auth-back"), "it was not in place");
    assert_eq!(seen.ended(), [("auth-back", true), ("auth-down", true)]);
}
