//! What a service mesh does to calls between pods: limits, ejection, further tries, faults. On a real cluster it takes Istio.

use std::collections::BTreeMap;
use std::time::Duration;

use ::mesh::rules::{DestinationRule, VirtualService};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, Service};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::kinds::*;
use crate::world::{World, conform};

/// From a change of a rule until calls follow it, at the latest.
const PUSHED: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(20);

/// One answer to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    status: u16,
    bytes: usize,
    server: String,
    is_overloaded: bool,
    millis: u64,
}

impl Reply {
    fn read(line: &str) -> Reply {
        let words: Vec<&str> = line.split(' ').collect();
        let [status, bytes, server, overloaded, millis] = words[..] else {
            panic!("five words: {line}")
        };
        Reply {
            status: status.parse().expect("a status"),
            bytes: bytes.parse().expect("a number"),
            server: server.to_owned(),
            is_overloaded: overloaded == "true",
            millis: millis.parse().expect("a number"),
        }
    }

    /// The side-car's own answer when its pool is full.
    fn is_overflow(&self) -> bool {
        (self.status, self.bytes, self.is_overloaded) == (503, 81, true)
    }

    /// Its answer when every host is left out, or there is none.
    fn is_without_host(&self) -> bool {
        (self.status, self.bytes) == (503, 19)
    }
}

/// A test in a namespace whose new pods get side-cars like those of `release`; skipped where there is no mesh, or another release.
async fn in_mesh(statement: &str, release: Option<&str>, test: impl AsyncFnOnce(&World)) {
    conform(statement, async |world| {
        if world.is_real {
            let groups = world.client.list_api_groups().await.expect("groups");
            let has_mesh = groups.groups.iter().any(|one| one.name == "networking.istio.io");
            if !has_mesh || release.is_some() {
                println!("{statement}: skipped, this cluster has no networking.istio.io, or not of the release {release:?}");
                return;
            }
        }
        let mut metadata = json!({"labels": {"istio-injection": "enabled"}});
        if let Some(release) = release {
            metadata["annotations"] = json!({"brownout.dev/istio-profile": release});
        }
        let namespaces: Api<Namespace> = Api::all(world.client.clone());
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let patched = namespaces
            .patch(&world.namespace, &PatchParams::default(), &patch)
            .await;
        patched.expect("the namespace is labelled");
        test(world).await;
    })
    .await;
}

/// A Service whose port says that it is HTTP, and a pod behind it.
async fn serving(world: &World, name: &str) {
    let mut http = service(name);
    http["spec"]["ports"][0]["name"] = json!("http");
    world.create::<Service>(http).await;
    let ready = json!({"readinessProbe": http_probe("/")});
    world.pod(name, world.server(name, ready), json!({})).await;
}

/// A pod from which to call.
async fn caller(world: &World, name: &str, annotations: Value) {
    let spec = pod_spec(vec![world.shell("sleep 1000")], json!({}));
    let pod = json!({"metadata": {"name": name, "annotations": annotations}, "spec": spec});
    world.create::<Pod>(pod).await;
    world.until(name, "running", is_running).await;
}

async fn rule(world: &World, host: &str, policy: Value) {
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": host}, "spec": {"host": host, "trafficPolicy": policy}});
    world.create::<DestinationRule>(rule).await;
}

async fn routes(world: &World, host: &str, http: Value) {
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": host}, "spec": {"hosts": [host], "http": http}});
    world.create::<VirtualService>(rule).await;
}

/// One connection and one request that waits for it.
fn tight() -> Value {
    json!({"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}})
}

async fn siege(
    world: &World,
    from: &str,
    to: (&str, &str),
    clients: usize,
    count: usize,
) -> Vec<Reply> {
    let (clients, count) = (clients.to_string(), count.to_string());
    let command = ["conformance-pod", "siege", to.0, to.1, &clients, &count];
    let ended = world.exec(from, &command, None).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out.lines().map(Reply::read).collect()
}

/// Until calls reach the pod, and the rules that there are have reached the side-cars.
async fn until_called(world: &World, from: &str, address: &str) {
    let what = format!("{address} answers {from}");
    world
        .eventually(&what, SOON, async || {
            siege(world, from, (address, "/"), 1, 1).await[0].status == 200
        })
        .await;
    if world.is_real {
        tokio::time::sleep(PUSHED).await;
    }
}

fn count(replies: &[Reply], is: impl Fn(&Reply) -> bool) -> usize {
    replies.iter().filter(|reply| is(reply)).count()
}

fn good(replies: &[Reply]) -> usize {
    count(replies, |reply| reply.status == 200)
}

/// What came, for people.
fn summary(replies: &[Reply]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for reply in replies {
        let kind = format!("{} {} {}", reply.status, reply.bytes, reply.server);
        *all.entry(kind).or_default() += 1;
    }
    all
}

/// How often a pod was asked for a path.
async fn asked(world: &World, pod: &str, path: &str) -> usize {
    let begins = format!("{path} ");
    let log = world.log(pod).await;
    log.iter().filter(|line| line.starts_with(&begins)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_3_4_and_24_a_full_pool_answers_503_with_81_bytes_and_the_callee_never_hears_of_it() {
    in_mesh("IST-3, IST-4, IST-24", None, async |world| {
        rule(world, "room", json!({"connectionPool": tight()})).await;
        serving(world, "room").await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        let all = siege(world, "caller", ("room:8080", "/slow/300"), 10, 3).await;
        println!("IST-3: {:?}", summary(&all));
        let served = good(&all);
        assert!((1..30).contains(&served), "{:?}", summary(&all));
        assert_eq!(count(&all, Reply::is_overflow), 30 - served, "{all:?}");
        assert!(all.iter().all(|reply| reply.server == "envoy"));
        let quick = count(&all, |reply| reply.is_overflow() && reply.millis < 300);
        assert!(quick > 0, "an overflow waits for nobody: {all:?}");
        assert_eq!(asked(world, "room", "/slow/300").await, served);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_1_and_5_one_client_is_always_served_and_without_a_limit_of_waiting_all_are() {
    in_mesh("IST-1, IST-5", None, async |world| {
        rule(world, "room", json!({"connectionPool": tight()})).await;
        let waiting = json!({"connectionPool": {"tcp": {"maxConnections": 1}}});
        rule(world, "patient", waiting).await;
        tokio::join!(serving(world, "room"), serving(world, "patient"));
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        until_called(world, "caller", "patient:8080").await;
        let one = siege(world, "caller", ("room:8080", "/slow/10"), 1, 50).await;
        assert_eq!(good(&one), 50, "{:?}", summary(&one));
        let many = siege(world, "caller", ("patient:8080", "/slow/10"), 20, 5).await;
        assert_eq!(good(&many), 100, "{:?}", summary(&many));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_7_and_xck_9_one_client_is_served_two_sometimes_not_and_one_again() {
    in_mesh("IST-7, XCK-9", None, async |world| {
        let http = json!({"http1MaxPendingRequests": 1, "maxRequestsPerConnection": 1});
        rule(world, "room", json!({"connectionPool": {"http": http}})).await;
        serving(world, "room").await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        let room = ("room:8080", "/slow/2");
        let one = siege(world, "caller", room, 1, 200).await;
        assert_eq!(good(&one), 200, "{:?}", summary(&one));
        let mut two = vec![];
        while two.is_empty() || good(&two) == two.len() && two.len() < 20_000 {
            two.extend(siege(world, "caller", room, 2, 1000).await);
        }
        let share = good(&two) as f64 / two.len() as f64;
        println!("XCK-9: {share:.4} {:?}", summary(&two));
        assert!((0.6..0.9999).contains(&share), "{:?}", summary(&two));
        assert_eq!(good(&two) + count(&two, Reply::is_overflow), two.len());
        let again = siege(world, "caller", room, 1, 200).await;
        assert_eq!(good(&again), 200, "{:?}", summary(&again));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_9_and_10_the_callee_s_side_limits_those_without_a_side_car_and_limits_are_each_side_car_s()
 {
    in_mesh("IST-9, IST-10", None, async |world| {
        rule(world, "room", json!({"connectionPool": tight()})).await;
        serving(world, "room").await;
        let without = json!({"sidecar.istio.io/inject": "false"});
        tokio::join!(
            caller(world, "outsider", without),
            caller(world, "one", json!({})),
            caller(world, "two", json!({}))
        );
        until_called(world, "outsider", "room:8080").await;
        let all = siege(world, "outsider", ("room:8080", "/slow/300"), 10, 2).await;
        println!("IST-9: {:?}", summary(&all));
        let overflows: Vec<&Reply> = all.iter().filter(|reply| reply.is_overflow()).collect();
        assert!(!overflows.is_empty() && good(&all) > 0, "{all:?}");
        assert_eq!(good(&all) + overflows.len(), all.len(), "{all:?}");
        assert!(overflows.iter().all(|reply| reply.server == "istio-envoy"));
        // The second is its own side-car's first.
        let room = ("room:8080", "/slow/20");
        let (one, two) = tokio::join!(
            siege(world, "one", room, 1, 10),
            siege(world, "two", room, 1, 10)
        );
        let own = |replies: &[Reply]| count(replies, |r| r.is_overflow() && r.server == "envoy");
        println!("IST-10: {:?} {:?}", summary(&one), summary(&two));
        assert!(good(&one) > 0 && good(&two) > 0 && own(&one) + own(&two) < 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_11_on_a_port_that_is_not_http_connections_are_closed_without_a_word() {
    in_mesh("IST-11", None, async |world| {
        rule(world, "room", json!({"connectionPool": tight()})).await;
        let mut tcp = service("room");
        tcp["spec"]["ports"][0]["name"] = json!("tcp-room");
        world.create::<Service>(tcp).await;
        let ready = json!({"readinessProbe": http_probe("/")});
        world
            .pod("room", world.server("room", ready), json!({}))
            .await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        let all = siege(world, "caller", ("room:8080", "/slow/500"), 10, 1).await;
        println!("IST-11: {:?}", summary(&all));
        assert!(good(&all) > 0 && good(&all) < 10, "{all:?}");
        assert_eq!(
            count(&all, |reply| reply.status == 0),
            10 - good(&all),
            "{all:?}"
        );
    })
    .await;
}

/// The report's rule: a tight pool, and five errors in a row.
fn gasstation() -> Value {
    json!({"connectionPool": {"tcp": {"maxConnections": 1},
            "http": {"http1MaxPendingRequests": 1, "maxRequestsPerConnection": 1, "maxRetries": 3}},
        "outlierDetection": {"consecutiveErrors": 5, "interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 100}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tight_pool_and_ejection_leave_the_only_healthy_pod_out() {
    in_mesh(
        "gasstation/circuit-breaking",
        Some("1.7.1"),
        async |world| {
            rule(world, "order", gasstation()).await;
            serving(world, "order").await;
            for name in ["one", "two", "three"] {
                caller(world, name, json!({})).await;
                until_called(world, name, "order:8080").await;
            }
            let (mut all, order) = (vec![], ("order:8080", "/slow/300"));
            world
                .eventually("both kinds of 503 are seen", SOON, async || {
                    let (one, two, three) = tokio::join!(
                        siege(world, "one", order, 10, 5),
                        siege(world, "two", order, 10, 5),
                        siege(world, "three", order, 10, 5)
                    );
                    all.extend([one, two, three].concat());
                    count(&all, Reply::is_overflow) > 0 && count(&all, Reply::is_without_host) > 0
                })
                .await;
            println!("gasstation: {:?}", summary(&all));
            assert!(good(&all) > 0, "{:?}", summary(&all));
            // What was counted is told in the rule's status.
            let ejected = |rule: &DestinationRule| {
                let rows = rule
                    .status
                    .as_ref()
                    .and_then(|status| status["breakers"].as_array());
                rows.is_some_and(|rows| rows.iter().any(|row| row["ejections"] == 1))
            };
            world.until("order", "told of an ejection", ejected).await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_12_and_20_a_host_is_left_out_after_five_5xx_and_asked_nothing_until_it_is_back() {
    in_mesh("IST-12, IST-20", Some("1.7"), async |world| {
        let outlier = json!({"consecutiveErrors": 3, "interval": "1s", "baseEjectionTime": "3s", "maxEjectionPercent": 100});
        rule(world, "room", json!({"outlierDetection": outlier})).await;
        serving(world, "room").await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        let all = siege(world, "caller", ("room:8080", "/status/500"), 1, 20).await;
        println!("IST-12: {:?}", summary(&all));
        assert_eq!(count(&all, |reply| reply.status == 500), 5, "{all:?}");
        assert_eq!(count(&all, Reply::is_without_host), 15, "{all:?}");
        assert_eq!(asked(world, "room", "/status/500").await, 5);
        until_called(world, "caller", "room:8080").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_27_an_overflow_deeper_in_a_chain_is_the_caller_s_own_500() {
    in_mesh("IST-27, mybnb/circuit-breaking", None, async |world| {
        rule(world, "auth", json!({"connectionPool": tight()})).await;
        tokio::join!(serving(world, "room"), serving(world, "auth"));
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        until_called(world, "caller", "auth:8080").await;
        let rooms = ("room:8080", "/call/auth:8080/slow/100");
        let all = siege(world, "caller", rooms, 10, 5).await;
        println!("IST-27: {:?}", summary(&all));
        let failed = count(&all, |reply| {
            (reply.status, reply.bytes) == (500, "room".len())
        });
        assert!(failed > 0 && good(&all) > 0, "{:?}", summary(&all));
        assert_eq!(failed + good(&all), all.len(), "{:?}", summary(&all));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_21_22_and_23_a_503_was_tried_three_times_and_a_500_never() {
    in_mesh("IST-21, IST-22, IST-23", Some("1.7"), async |world| {
        serving(world, "room").await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        for (path, status, times) in [
            ("/once/503", 200, 2),
            ("/status/503", 503, 3),
            ("/status/500", 500, 1),
        ] {
            let one = siege(world, "caller", ("room:8080", path), 1, 1).await;
            assert_eq!(one[0].status, status, "{path}: {one:?}");
            assert_eq!(asked(world, "room", path).await, times, "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_21_22_and_23_since_1_24_none_is_tried_again() {
    in_mesh("IST-21, IST-22, IST-23", None, async |world| {
        serving(world, "room").await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        for (path, status) in [
            ("/once/503", 503),
            ("/status/503", 503),
            ("/status/500", 500),
        ] {
            let one = siege(world, "caller", ("room:8080", path), 1, 1).await;
            assert_eq!(one[0].status, status, "{path}: {one:?}");
            assert_eq!(asked(world, "room", path).await, 1, "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ist_26_a_rule_that_is_removed_limits_nothing_any_more_and_its_breaker_was_told() {
    in_mesh("IST-26", None, async |world| {
        rule(world, "room", json!({"connectionPool": tight()})).await;
        serving(world, "room").await;
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        let room = ("room:8080", "/slow/100");
        let limited = siege(world, "caller", room, 10, 2).await;
        assert!(good(&limited) < 20, "{:?}", summary(&limited));
        if !world.is_real {
            let counted = |rule: &DestinationRule| {
                let rows = rule
                    .status
                    .as_ref()
                    .and_then(|status| status["breakers"].as_array());
                rows.is_some_and(|rows| {
                    rows.iter()
                        .any(|row| row["client"] == "caller" && row["rejected"].as_u64() > Some(0))
                })
            };
            world
                .until("room", "told of what was refused", counted)
                .await;
            let events = world
                .api::<Event>()
                .list(&ListParams::default())
                .await
                .unwrap();
            let told = |event: &Event| event.reason.as_deref() == Some("BreakerOpened");
            assert!(events.items.iter().any(told));
        }
        world.delete::<DestinationRule>("room").await;
        world
            .eventually("nothing is limited", PUSHED, async || {
                good(&siege(world, "caller", room, 10, 2).await) == 20
            })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_delays_aborts_limits_the_time_and_divides_among_services() {
    in_mesh("VirtualService", None, async |world| {
        let to = |host: &str, weight: u32| json!({"destination": {"host": host}, "weight": weight});
        let at = |path: &str| json!([{"uri": {"prefix": path}}]);
        let http = json!([
            {"match": at("/status/418"), "route": [to("room", 100)], "fault": {"abort": {"httpStatus": 429}}},
            {"match": at("/slow"), "route": [to("room", 100)], "timeout": "200ms"},
            {"match": at("/late"), "route": [to("room", 100)], "fault": {"delay": {"fixedDelay": "300ms"}}},
            {"match": at("/share"), "route": [to("room", 50), to("other", 50)]},
            {"match": at("/once"), "route": [to("room", 100)], "retries": {"attempts": 2, "retryOn": "5xx"}},
            {"match": [{"uri": {"exact": "/"}}], "route": [to("room", 100)]}]);
        routes(world, "room", http).await;
        tokio::join!(serving(world, "room"), serving(world, "other"));
        caller(world, "caller", json!({})).await;
        until_called(world, "caller", "room:8080").await;
        until_called(world, "caller", "other:8080").await;
        let once = async |path: &str| siege(world, "caller", ("room:8080", path), 1, 1).await.remove(0);
        let aborted = once("/status/418").await;
        assert_eq!((aborted.status, aborted.bytes), (429, 18), "{aborted:?}");
        let timed_out = once("/slow/5000").await;
        assert_eq!((timed_out.status, timed_out.bytes), (504, 24), "{timed_out:?}");
        let late = once("/late").await;
        assert!(late.status == 200 && late.millis >= 300, "{late:?}");
        assert_eq!(once("/once/500").await.status, 200);
        assert_eq!(once("/nowhere").await.status, 404);
        let shared = siege(world, "caller", ("room:8080", "/share"), 4, 25).await;
        let others = count(&shared, |reply| reply.bytes == "other".len());
        assert!((25..=75).contains(&others), "{:?}", summary(&shared));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_behind_a_service_is_a_503_for_a_caller_with_a_side_car_and_a_broken_pod_is_another()
{
    in_mesh("7.7", Some("1.7"), async |world| {
        let mut http = service("room");
        http["spec"]["ports"][0]["name"] = json!("http");
        world.create::<Service>(http).await;
        caller(world, "caller", json!({})).await;
        world
            .eventually("no healthy host is told", SOON, async || {
                let one = siege(world, "caller", ("room:8080", "/"), 1, 1).await;
                one[0].is_without_host()
            })
            .await;
        // A pod that is ready and does not listen: its own side-car cannot connect.
        world
            .pod("room", world.shell("sleep 1000"), json!({}))
            .await;
        world
            .eventually("a failed connection is told", SOON, async || {
                let one = siege(world, "caller", ("room:8080", "/"), 1, 1).await;
                (one[0].status, one[0].bytes) == (503, 91)
            })
            .await;
    })
    .await;
}
