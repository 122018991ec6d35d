//! A process on the path stands still over an outage: nothing is known of that time, whatever came before and after it.
use super::scene::{Played, Playing, Scene, Stopped, shop};
use model::{Verdict, Whose};
use std::{thread, time::Duration};

/// The outage lies within the time in which the process stands still.
const OUTAGE: &str = "2500,1000,503";
const STILL_FROM: Duration = Duration::from_millis(2000);
const STILL_FOR: Duration = Duration::from_millis(2500);

const ASKED: &str = "
  method:
    - name: customers
      load: { rate: 100/s, duration: 7s, connection: new, requests: [{ url: 'http://shop:8080/look' }] }
  objectives:
    - { name: all, metric: availability, successCondition: '== 100%' }
    - { name: windows, metric: unavailability.windows, successCondition: '== 0' }
    - { name: half, metric: latency.p50, successCondition: '<= 1s' }
";

fn with_a_stop(outage: &str, whom: impl Fn(&Playing) -> u32) -> Played {
    let server = shop().without_probe().with("PLAN", outage);
    let playing = Scene::new([server], ASKED).start();
    playing.until(STILL_FROM);
    let stopped = Stopped::process(whom(&playing));
    thread::sleep(STILL_FOR);
    drop(stopped);
    playing.end()
}

/// It cannot be told, and the reason names who stood still, and for how long.
fn is_unknown_because_of(who: &str, played: &Played) {
    let judgement = played.is(Verdict::Inconclusive);
    let reason = &judgement.reason;
    assert!(reason.contains("MeasurementSound"), "{reason}");
    let by_it = |d: &&model::Doubt| d.whose == Whose::Unknown && d.because.contains(who);
    let doubts = judgement.doubts.iter().filter(by_it);
    let longest = doubts.map(|d| d.to.saturating_sub(d.from)).max();
    let longest = longest.unwrap_or_else(|| panic!("{:?}", judgement.doubts));
    assert!(longest.as_secs_f64() > 2.0, "{longest}");
}

#[test]
fn a_worker_that_stood_still_over_an_outage_knows_nothing_of_it() {
    let played = with_a_stop(OUTAGE, Playing::worker);
    is_unknown_because_of("the load worker of “customers” stood still", &played);
}

#[test]
fn a_brownout_that_stood_still_over_an_outage_knows_nothing_of_it() {
    let outage = OUTAGE.replace("503", "refuse");
    let played = with_a_stop(&outage, Playing::brownout);
    is_unknown_because_of("brownout stood still", &played);
}
