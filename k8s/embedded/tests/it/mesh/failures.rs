//! Failures: hosts that are left out, further tries, and what a route does on purpose.

use super::*;

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
