//! What only looks like the fault proves nothing, and a fault that nothing met shows nothing.
use super::scene::{Scene, server, shop};
use model::Verdict;

#[test]
fn a_kill_that_cannot_be_dealt_is_not_proven_by_a_container_that_ends_by_itself() {
    // Nothing in that image can kill its first process, which ends all the same, as if it had been killed.
    let lonely = server("lonely").instead(&["sh", "-c", "sleep 6; exit 1"]);
    let asked = "
  method:
    - name: customers
      load: { rate: 50/s, duration: 10s, connection: new, requests: [{ url: 'http://shop:8080/look' }] }
    - { name: hurt, at: 1s, timeout: 30s, fault: { type: container-kill, workloads: [lonely] } }
  objectives:
    - { name: all, metric: availability, successCondition: '== 100%' }
";
    let played = Scene::new([shop(), lonely], asked).play();
    let judgement = played.is(Verdict::Inconclusive);
    let reason = &judgement.reason;
    assert!(reason.contains("FaultsEffective"), "{reason}");
    assert!(judgement.blows.iter().all(|blow| blow.proven.is_none()));
}

/// The fault comes after this load is over.
const LATE: &str = "
  method:
    - name: customers
      load: { rate: 100/s, duration: 3s, connection: new, requests: [{ url: 'http://shop:8080/look' }] }
    - { name: hurt, at: 5s, fault: { type: service-down, service: shop } }
    - { name: back, undo: hurt }
  objectives:
    - { name: all, metric: availability, successCondition: '== 100%' }
";

#[test]
fn a_fault_that_is_planned_for_after_the_load_is_refused() {
    let ended = Scene::new([shop()], LATE).validated();
    assert_eq!(ended.code, Some(64), "{}", ended.out);
    assert!(ended.err.contains("customers"), "{}", ended.err);
}

#[test]
fn a_fault_that_waits_for_the_end_of_the_load_shows_nothing_of_that_load() {
    let asked = LATE.replace("at: 5s", "after: customers");
    Scene::new([shop()], &asked).is_refused_or_inconclusive();
}
