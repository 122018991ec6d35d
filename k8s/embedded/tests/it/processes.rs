//! What a container has for its own, and how its end is told.

use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use serde_json::json;

use crate::kinds::*;
use crate::world::conform;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn box_1_tmp_is_the_containers_own_and_new_after_a_restart_while_an_empty_dir_stays() {
    conform("BOX-1", async |world| {
        let script = "for dir in /tmp /state; do \
            if [ -e $dir/mine ]; then echo seen $dir; else echo new $dir; fi; touch $dir/mine; done; sleep 1; exit 1";
        world.pod("one", world.shell(script), json!({})).await;
        world.pod("two", world.shell("sleep 1000"), json!({})).await;
        world.until("two", "running", is_running).await;
        world
            .until("one", "restarted", |pod| {
                restarts(pod) == 1 && is_running(pod)
            })
            .await;
        world.sh("two", "[ ! -e /tmp/mine ]").await;
        world.until_says("one", "seen /state").await;
        let previous = LogParams {
            previous: true,
            ..LogParams::default()
        };
        let before = world.log_with("one", previous).await;
        assert_eq!(before, ["new /tmp", "new /state"]);
        assert_eq!(world.log("one").await, ["new /tmp", "seen /state"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn box_4_exit_codes_arrive_in_the_status() {
    conform("BOX-4", async |world| {
        let ends = [
            ("well", "exit 0", 0, "Completed"),
            ("three", "exit 3", 3, "Error"),
            ("killed", "exit 137", 137, "Error"),
            // In a manifest `$$` means `$`.
            (
                "handled",
                "trap 'exit 143' TERM; kill -TERM $$$$; sleep 5 & wait",
                143,
                "Error",
            ),
        ];
        for (name, script, _, _) in ends {
            world
                .pod(name, world.shell(script), json!({"restartPolicy": "Never"}))
                .await;
        }
        for (name, _, code, reason) in ends {
            let pod: Pod = world.until(name, "over", has_ended).await;
            let ended = terminated(&pod).expect("it has ended");
            let told = (ended.exit_code, ended.reason.as_deref());
            assert_eq!(told, (code, Some(reason)), "{name}");
            let expected = if code == 0 { "Succeeded" } else { "Failed" };
            assert_eq!(phase(&pod), expected, "{name}");
        }
    })
    .await;
}
