//! Failures belong to the moment and the fault that caused them, and to no other.
use super::scene::{Scene, server, shop};
use model::Verdict;

#[test]
fn requests_in_flight_at_a_kill_fail_because_of_the_kill() {
    // Each look takes two seconds, so that a hundred are in flight when a pod is killed.
    let shop = shop().replicas(2).with("SERVICE_TIME", "2000");
    let asked = "
  method:
    - name: customers
      load: { rate: 50/s, duration: 9s, connection: new, requests: [{ url: 'http://shop:8080/look' }] }
    - { name: hurt, at: 4s, fault: { type: pod-kill, workloads: [shop], gracePeriodSeconds: 0 } }
  objectives:
    - { name: most, metric: availability, successCondition: '>= 99.9%' }
";
    let played = Scene::new([shop], asked).play_until_seen();
    let judgement = played.is(Verdict::Fail);
    let killed = judgement.windows.iter().find(|w| w.failed > 10);
    let killed = killed.unwrap_or_else(|| panic!("{}", played.told()));
    assert_eq!(killed.fault.as_deref(), Some("hurt"), "{killed:?}");
    let dealt = judgement.blows.first().expect("a blow was dealt").at;
    assert!(killed.from >= dealt, "{killed:?} began before {dealt}");
}

/// A fault that hurts nobody who is asked, and all that is asked of the shop.
fn harmless(rate: &str, at: &[&str], condition: &str) -> String {
    let faults = ["first", "second"].iter().zip(at).map(|(name, at)| {
        format!(
            "    - {{ name: {name}, at: {at}, fault: {{ type: pod-kill, workloads: [lonely], gracePeriodSeconds: 0 }} }}\n"
        )
    });
    let faults: String = faults.collect();
    format!(
        "
  method:
    - name: customers
      load: {{ rate: {rate}, duration: 11s, connection: new, requests: [{{ url: 'http://shop:8080/look' }}] }}
{faults}
  objectives:
    - {{ name: asked, metric: availability, successCondition: '{condition}' }}
"
    )
}

#[test]
fn every_second_answer_to_the_end_of_the_load_is_no_recovery() {
    let shop = shop().without_probe().with("PLAN", "5000,60000,half");
    let asked = harmless("101/s", &["1s"], ">= 40%");
    let played = Scene::new([shop, server("lonely")], &asked).play();
    let judgement = played.is_never(Verdict::Pass);
    let recovered = judgement.conditions.iter().find(|c| c.check == "Recovered");
    let recovered = recovered.expect("it is a condition");
    assert_ne!(recovered.verdict, Verdict::Pass, "{recovered:?}");
}

#[test]
fn an_outage_that_begins_before_a_fault_is_not_that_fault_s() {
    let shop = shop().without_probe().with("PLAN", "6500,2000,503");
    let asked = harmless("100/s", &["1s", "7s"], "== 100%");
    let played = Scene::new([shop, server("lonely")], &asked).play();
    let judgement = played.is_never(Verdict::Pass);
    let truth = &played.outages("shop")[0];
    let window = judgement
        .windows
        .iter()
        .find(|w| w.from < truth.to && w.to > truth.from);
    let window = window.unwrap_or_else(|| panic!("{}", played.told()));
    assert_eq!(window.fault, None, "{window:?}");
    let blows = judgement.blows.iter();
    let outages: Vec<_> = blows.flat_map(|blow| &blow.outages).collect();
    assert!(outages.is_empty(), "{outages:?}");
}
