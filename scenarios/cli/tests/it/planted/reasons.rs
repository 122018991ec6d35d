//! The first screen says why, in the words of an operator.
use super::scene::{Played, Scene, shop};
use model::Verdict;

const ASKED: &str = "
  method:
    - name: customers
      load: { rate: 60/s, duration: 8s, connection: new, timeout: 2s, requests: [{ url: 'http://shop:8080/look' }] }
  objectives:
    - { name: all, metric: availability, successCondition: '== 100%' }
    - { name: no restarts, metric: restarts, workload: shop, successCondition: '== 0' }
";

/// What is printed and what report.md begins with: both are read without opening anything.
fn says(played: &Played, word: &str) {
    let printed = &played.ended.out;
    assert!(printed.contains(word), "“{word}” is not in {printed}");
    let text = played.run().text("report.md");
    let first: Vec<&str> = text.lines().take(40).collect();
    assert!(first.join("\n").contains(word), "“{word}” is not in {text}");
}

#[test]
fn a_container_that_used_up_its_memory_is_named() {
    let shop = shop().with("TAKES_MEMORY_AFTER", "1000").memory("64Mi");
    let played = Scene::new([shop], ASKED).play();
    played.is_never(Verdict::Pass);
    says(&played, "OOMKilled");
}

#[test]
fn a_service_that_selects_no_pod_is_named_with_its_selector() {
    let shop = shop().selected_as("shopp");
    let played = Scene::new([shop], ASKED).play();
    played.is_never(Verdict::Pass);
    says(&played, "selects no pod");
    says(&played, "app=shopp");
}
