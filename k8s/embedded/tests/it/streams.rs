//! Logs and commands.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{AttachParams, LogParams};
use serde_json::json;

use crate::kinds::*;
use crate::world::{Ended, conform, read_to_end};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_18_logs_by_tail_and_of_the_container_before_and_followed_to_the_end() {
    conform("API-18", async |world| {
        let script = "if [ -e /state/again ]; then echo again; sleep 3; echo end; exit 0; fi; touch /state/again; \
            echo one; echo two >&2; echo three; exit 1";
        let spec = json!({"restartPolicy": "OnFailure"});
        world.pod("talker", world.shell(script), spec).await;
        // A real node keeps no more than one container that has ended, so what the first said is read while the second runs.
        world.until_says("talker", "again").await;
        let previous = LogParams {
            previous: true,
            ..LogParams::default()
        };
        let mut all = world.log_with("talker", previous.clone()).await;
        let tail = LogParams {
            tail_lines: Some(2),
            ..previous
        };
        let tail = world.log_with("talker", tail).await;
        assert_eq!(tail, all[1..]);
        // Two pipes have no common order.
        all.sort();
        assert_eq!(all, ["one", "three", "two"]);
        let followed = LogParams {
            follow: true,
            ..LogParams::default()
        };
        let followed = world.api::<Pod>().log_stream("talker", &followed).await;
        assert_eq!(read_to_end(followed.unwrap()).await, "again\nend\n");
        world.until("talker", "over", has_ended).await;
        let timestamps = LogParams {
            timestamps: true,
            since_seconds: Some(3600),
            ..LogParams::default()
        };
        let log = world.log_with("talker", timestamps).await;
        let times = log.iter().map(|line| line.split_once(' ').unwrap().0);
        let times = times.map(|time| time.parse::<k8s_openapi::jiff::Timestamp>().unwrap());
        assert_eq!(times.collect::<Vec<_>>().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_18_a_log_that_is_not_there_is_refused() {
    conform("API-18", async |world| {
        world
            .pod("room", world.shell("sleep 1000"), json!({}))
            .await;
        world.until("room", "running", is_running).await;
        let refusal = async |pod: &str, params: &LogParams| match world
            .api::<Pod>()
            .logs(pod, params)
            .await
        {
            Err(kube::Error::Api(status)) => (status.code, status.message),
            other => panic!("{other:?}"),
        };
        let previous = LogParams {
            previous: true,
            ..LogParams::default()
        };
        assert_eq!(
            refusal("room", &previous).await,
            (
                400,
                "previous terminated container \"c\" in pod \"room\" not found".into()
            )
        );
        let other = LogParams {
            container: Some("x".into()),
            ..LogParams::default()
        };
        assert_eq!(
            refusal("room", &other).await,
            (400, "container x is not valid for pod room".into())
        );
        assert_eq!(
            refusal("none", &LogParams::default()).await,
            (404, "pods \"none\" not found".into())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_19_commands_have_streams_and_exit_codes() {
    conform("API-19", async |world| {
        world
            .pod("room", world.shell("sleep 1000"), json!({}))
            .await;
        world.until("room", "running", is_running).await;
        let read = world
            .exec(
                "room",
                &["sh", "-c", "cat; echo done >&2"],
                Some("one\ntwo\n"),
            )
            .await;
        let expected = Ended {
            code: Some(0),
            out: "one\ntwo\n".into(),
            err: "done\n".into(),
        };
        assert_eq!(read, expected);
        for code in [0, 1, 127, 143] {
            let script = format!("exit {code}");
            let ended = world.exec("room", &["sh", "-c", &script], None).await;
            assert_eq!(ended.code, Some(code), "{ended:?}");
        }
        let missing = world.exec("room", &["/does/not/exist"], None).await;
        assert_eq!(missing.code, None, "{missing:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_19_a_pod_that_is_over_runs_no_command() {
    conform("API-19", async |world| {
        world
            .pod(
                "over",
                world.shell("exit 0"),
                json!({"restartPolicy": "Never"}),
            )
            .await;
        world.until("over", "over", has_ended).await;
        let (pods, params) = (world.api::<Pod>(), AttachParams::default());
        let mut told = pods.exec("over", ["true"], &params).await.unwrap();
        let status = told.take_status().unwrap().await.unwrap();
        assert_eq!(
            (status.code, status.reason.as_deref()),
            (Some(500), Some("InternalError"))
        );
        let why =
            "Internal error occurred: unable to upgrade connection: container not found (\"c\")";
        assert_eq!(status.message.as_deref(), Some(why));
    })
    .await;
}
