//! No percentile speaks for requests that it leaves out.
use super::scene::{Scene, shop};
use model::Verdict;

/// For three of eight seconds nobody is answered.
const HANGING: &str = "2000,3000,hang";

#[test]
fn a_percentile_counts_those_that_were_never_answered() {
    let asked = "
  method:
    - name: customers
      load: { rate: 200/s, duration: 8s, connection: new, timeout: 1s, requests: [{ url: 'http://shop:8080/look' }] }
  objectives:
    - { name: p99, metric: latency.p99, successCondition: '<= 300ms' }
    - { name: p999, metric: latency.p999, successCondition: '<= 2s' }
";
    let shop = shop().without_probe().with("PLAN", HANGING);
    let judgement = Scene::new([shop], asked).play_until_seen();
    for finding in judgement.is(Verdict::Fail).findings {
        assert_eq!(finding.verdict, Verdict::Fail, "{finding:?}");
    }
}

#[test]
fn the_percentile_of_the_survivors_is_asked_for_by_its_own_name() {
    let asked = "
  method:
    - name: customers
      load: { rate: 100/s, duration: 8s, connection: new, timeout: 1s, requests: [{ url: 'http://shop:8080/look' }] }
  objectives:
    - { name: p50, metric: latency.good.p50, successCondition: '<= 300ms' }
";
    let shop = shop().without_probe().with("PLAN", HANGING);
    Scene::new([shop], asked)
        .play_until_seen()
        .is(Verdict::Pass);
}

/// Ten users wait while the shop stands still for three seconds; then all are answered well.
fn frozen(ceiling: &str) -> super::scene::Played {
    let asked = format!(
        "
  method:
    - name: customers
      load:
        users: 10
        duration: 9s
        {ceiling}
        connection: reused
        requests: [{{ url: 'http://shop:8080/look' }}]
  objectives:
    - {{ name: nine of ten, metric: latency.p90, successCondition: '<= 300ms' }}
"
    );
    let shop = shop().without_probe().with("PLAN", "3000,3000,stall");
    Scene::new([shop], &asked).play()
}

#[test]
fn users_who_wait_for_a_frozen_server_are_late_with_what_they_should_have_sent() {
    let played = frozen("maxRate: 100/s");
    let judgement = played.is_never(Verdict::Pass);
    let [customers] = &judgement.summaries[..] else {
        panic!("{judgement:?}")
    };
    // A third of what the ceiling allows was held back.
    assert!(customers.held_back > 200, "{customers:?}");
}

#[test]
fn without_a_ceiling_the_page_says_how_much_a_stall_may_hide() {
    let played = frozen("thinkTime: 100ms");
    let judgement = played.judgement();
    assert!(judgement.summaries[0].held_back > 0, "{judgement:?}");
    let page = played.run().text("report.html");
    assert!(page.contains("a stalled system hides the requests that it keeps from being sent"));
}
