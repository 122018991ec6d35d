//! Pools of connections: what waits, what overflows, and who hears of it.

use super::*;

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
            // Events are written a moment after the status.
            world
                .eventually("its breaker was told", PUSHED, async || {
                    let events = world.api::<Event>().list(&ListParams::default()).await;
                    let mut events = events.unwrap().items.into_iter();
                    events.any(|event| event.reason.as_deref() == Some("BreakerOpened"))
                })
                .await;
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
