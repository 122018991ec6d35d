//! Nothing passes for want of content: what asks nothing is refused, and what cannot be compared is not equal.
use super::scene::{Scene, server, shop};
use model::Verdict;

const LOOKS: &str = "load: { rate: 100/s, duration: 4s, connection: new, requests: [{ url: 'http://shop:8080/look' }] }";

/// Refused with the place and the way out.
fn is_refused(rest: &str, words: &[&str]) {
    let ended = Scene::new([shop()], rest).validated();
    assert_eq!(ended.code, Some(64), "{}\n{}", ended.out, ended.err);
    for word in words {
        assert!(ended.err.contains(word), "“{word}” is not in {}", ended.err);
    }
}

#[test]
fn an_expectation_that_everything_meets_is_refused() {
    let asked = "
  method:
    - { name: look, requests: [{ url: 'http://shop:8080/look', expect: { contains: [] } }] }
";
    is_refused(asked, &["scene.yaml:9:", "expect.contains", "leave it out"]);
}

#[test]
fn a_condition_that_is_not_a_number_is_refused() {
    let asked = format!(
        "
  method: [{{ name: customers, {LOOKS} }}]
  objectives: [{{ name: some, metric: errors, successCondition: '<= inf * 1' }}]
"
    );
    is_refused(&asked, &["scene.yaml:9:", "successCondition", "inf"]);
}

#[test]
fn a_condition_that_holds_whatever_happens_is_refused() {
    let asked = format!(
        "
  method: [{{ name: customers, {LOOKS} }}]
  objectives: [{{ name: some, metric: errors, successCondition: '>= -5' }}]
"
    );
    is_refused(&asked, &["scene.yaml:9:", "successCondition", "-5"]);
}

fn writes(name: &str, key: &str) -> String {
    format!(
        "
    - name: {name}
      load:
        rate: 50/s
        duration: 3s
        requests: [{{ url: 'http://shop:8080/things', body: {{ key: '{key}', price: 10 }}, key: '{key}' }}]"
    )
}

/// Where the second load is written, its keys are those of the first, and none of its things is kept.
const FOUND: &str = "
    - name: things
      timeout: 5s
      collect: { url: 'http://shop:8080/things', collection: things, field: key, ledger: second }
  invariants:
    - { type: no-lost-acked-writes, load: second, collect: things, atLeast: 100 }
";

#[test]
fn two_loads_that_write_the_same_keys_are_refused() {
    let (first, second) = (writes("first", "k-{{seq}}"), writes("second", "k-{{seq}}"));
    is_refused(
        &format!("\n  method:{first}{second}{FOUND}"),
        &["method[1]", "first", "same keys"],
    );
}

#[test]
fn a_load_of_which_nothing_was_kept_has_lost_everything() {
    let (first, second) = (writes("first", "a-{{seq}}"), writes("second", "b-{{seq}}"));
    let shop = shop().with("BUG", "lose-after 150");
    let asked = format!("\n  method:{first}{second}{FOUND}");
    let played = Scene::new([shop], &asked).play();
    played.is(Verdict::Fail);
    let lost = played.said("shop");
    assert_eq!(
        lost.iter().filter(|line| line["did"] == "lost").count(),
        150
    );
}

/// Writes, then compares the list with itself by these fields.
fn converging(fields: &str) -> String {
    let writes = writes("writes", "k-{{seq}}");
    format!(
        "\n  method:{writes}
    - {{ name: things, timeout: 5s, collect: {{ url: 'http://shop:8080/things', collection: things, fields: {fields} }} }}
    - {{ name: view, timeout: 5s, collect: {{ url: 'http://shop:8080/view', collection: things, fields: {fields} }} }}
  invariants:
    - {{ type: converges, source: things, view: view, key: key, fields: [status] }}
"
    )
}

fn cannot_be_told(fields: &str, bug: Option<&'static str>) {
    let server = bug
        .into_iter()
        .fold(shop(), |shop, bug| shop.with("BUG", bug));
    Scene::new([server], &converging(fields)).is_refused_or_inconclusive();
}

#[test]
fn a_list_converges_with_itself() {
    let asked = converging("{ key: key, status: status }");
    Scene::new([shop()], &asked)
        .play_until_seen()
        .is(Verdict::Pass);
}

#[test]
fn what_no_row_has_is_not_equal() {
    cannot_be_told("{ key: key, status: staatus }", None);
}

#[test]
fn rows_without_their_key_are_not_the_same_row() {
    cannot_be_told("{ key: kkey, status: status }", None);
}

#[test]
fn rows_that_have_other_names_than_were_asked_for_are_not_equal() {
    cannot_be_told("{ key: key, status: status }", Some("rename"));
}

/// All looks of a server, with what a good answer is.
fn expecting(outage: &str, expect: &str) -> Scene {
    let asked = format!(
        "
  method:
    - name: customers
      load:
        rate: 100/s
        duration: 4s
        connection: new
        {expect}
        requests: [{{ url: 'http://shop:8080/look' }}]
  objectives: [{{ name: all, metric: availability, successCondition: '== 100%' }}]
"
    );
    let shop = server("shop").without_probe().with("PLAN", outage);
    Scene::new([shop], &asked)
}

#[test]
fn a_wrong_body_is_a_failed_request_where_a_load_says_what_is_right() {
    let scene = expecting("1000,1000,wrong", "expect: { contains: hello }");
    let played = scene.play_until_seen();
    let judgement = played.is(Verdict::Fail);
    let truth = &played.outages("shop")[0];
    let window = &judgement.windows[0];
    assert!(
        window.from < truth.to && truth.from < window.to,
        "{window:?}"
    );
}

#[test]
fn a_redirect_is_a_failed_request_where_a_load_says_what_is_right() {
    let scene = expecting("1000,1000,redirect", "expect: { status: 200 }");
    scene.play_until_seen().is(Verdict::Fail);
}

#[test]
fn a_late_answer_is_a_failed_request_where_a_load_says_how_soon_it_comes() {
    let scene = expecting("1000,1000,slow700", "expect: { within: 500ms }");
    scene.play_until_seen().is(Verdict::Fail);
}
