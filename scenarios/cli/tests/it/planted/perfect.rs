//! A server that never fails is never said to have failed, whatever else the machine does.
use super::{
    busy::{self, Busy},
    scene::{Played, Scene, shop},
};
use model::Verdict;

/// So often each rate is tried.
const TIMES: usize = 5;

/// All answered well, over new connections.
fn at(rate: u32) -> Played {
    let asked = format!(
        "
  method:
    - name: customers
      load:
        rate: {rate}/s
        duration: 6s
        connection: new
        timeout: 2s
        inFlightMax: 8000
        requests: [{{ url: 'http://shop:8080/look' }}]
  objectives:
    - {{ name: all, metric: availability, successCondition: '== 100%' }}
"
    );
    Scene::new([shop().without_probe()], &asked).play()
}

#[test]
fn a_perfect_server_at_1000_new_connections_a_second_never_fails_beside_other_work() {
    let _busy = Busy::begin();
    at(1000).is_never(Verdict::Fail);
}

#[test]
fn a_perfect_server_never_fails_at_any_rate() {
    if !super::outages::is_asked_for("a_perfect_server_never_fails_at_any_rate") {
        return;
    }
    let _busy = busy::if_asked_for();
    let mut failed = vec![];
    for rate in [500, 1000, 2000, 5000] {
        for time in 1..=TIMES {
            let played = at(rate);
            let judgement = played.judgement();
            println!(
                "{rate}/s, {time} of {TIMES}: {}: {}",
                judgement.verdict, judgement.reason
            );
            if judgement.verdict == Verdict::Fail {
                failed.push(format!("{rate}/s: {}", played.told()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
