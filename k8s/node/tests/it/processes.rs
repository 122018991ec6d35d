//! Pods that are processes, in every tier the machine allows.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use apiserver::{ExecError, ExecIo, Streams};
use k8s_openapi::api::core::v1::Event;
use node::ShimCommand;
use node::runtime::{Tier, detect};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::support::*;

fn shell(script: &str) -> Value {
    json!([{"name": "c", "image": "busybox", "command": ["sh", "-c", script]}])
}

fn grace(seconds: u32) -> Value {
    json!({"terminationGracePeriodSeconds": seconds})
}

async fn running(cluster: &Cluster, name: &str, script: &str, spec: Value) {
    cluster.pod(name, shell(script), spec).await;
    cluster.until(name, is_running).await;
}

/// A number that no other run of these tests uses, to know own processes and files by.
fn mark(number: u32) -> u32 {
    std::process::id() * 10 + number
}

/// Command lines of all processes that hold this word.
fn processes_with(word: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(word)).collect()
}

#[tokio::test]
async fn box_1_tmp_is_the_containers_own_and_new_after_a_restart_while_an_empty_dir_stays() {
    let Some(runtime) = sandboxed() else { return };
    let cluster = Cluster::of_processes(runtime);
    let script = "ls -A /tmp /keep; touch /tmp/seen /keep/seen; echo done; sleep 0.7; exit 1";
    let mut pod = shell(script);
    pod[0]["volumeMounts"] = json!([{"name": "keep", "mountPath": "/keep"}]);
    cluster
        .pod(
            "one",
            pod,
            json!({"volumes": [{"name": "keep", "emptyDir": {}}]}),
        )
        .await;
    running(&cluster, "two", "sleep 100", json!({})).await;
    cluster
        .until("one", |pod| restarts(pod) == 1 && is_running(pod))
        .await;
    assert_eq!(cluster.sh("two", "ls -A /tmp").await, "");
    cluster.until_says("one", "done").await;
    assert_eq!(cluster.log("one", true), ["/keep:", "", "/tmp:", "done"]);
    assert_eq!(
        cluster.log("one", false),
        ["/keep:", "seen", "", "/tmp:", "done"]
    );
    assert!(!std::path::Path::new("/keep").exists());
}

#[tokio::test]
async fn box_2_and_rst_9_a_shell_without_a_trap_lives_its_whole_grace_and_one_with_a_trap_obeys() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let mark = mark(0);
        let deaf = format!("sleep {mark} & echo up; sleep {mark}");
        running(&cluster, "deaf", &deaf, grace(3)).await;
        running(
            &cluster,
            "polite",
            "trap 'exit 7' TERM; sleep 100 & echo up; wait",
            grace(30),
        )
        .await;
        cluster.until_says("deaf", "up").await;
        cluster.until_says("polite", "up").await;
        let began = Instant::now();
        cluster.delete("deaf", None).await;
        cluster.delete("polite", None).await;
        cluster.until_gone("polite").await;
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        let pod = cluster.until("deaf", |pod| !is_running(pod)).await;
        assert!(
            began.elapsed() >= Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(exit_code(&pod), Some(137));
        cluster.until_gone("deaf").await;
        assert_eq!(processes_with(&format!("sleep {mark}")), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn box_4_exit_codes_arrive() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        for (name, script, code) in [
            ("well", "exit 0", 0),
            ("three", "exit 3", 3),
            (
                "killed",
                "kill -KILL $(sh -c 'echo $PPID') ; sleep 1; exit 137",
                137,
            ),
            // In a manifest `$$` means `$`.
            (
                "handled",
                "trap 'exit 143' TERM; kill -TERM $$$$; sleep 5 & wait",
                143,
            ),
        ] {
            cluster
                .pod(name, shell(script), json!({"restartPolicy": "Never"}))
                .await;
            let pod = cluster
                .until(name, |pod| matches!(phase(pod), "Succeeded" | "Failed"))
                .await;
            assert_eq!(exit_code(&pod), Some(code), "{name}");
        }
    }
}

#[tokio::test]
async fn box_3_exec_sees_the_containers_world_and_a_missing_program_is_told_apart() {
    for runtime in tiers() {
        let tier = runtime.tier();
        let cluster = Cluster::of_processes(runtime);
        let file = format!("/tmp/node-test-{}", mark(3));
        running(
            &cluster,
            "pod-a",
            &format!("echo up > {file}; echo up; sleep 100"),
            json!({}),
        )
        .await;
        cluster.until_says("pod-a", "up").await;
        assert_eq!(
            cluster.exec("pod-a", &["cat", &file]).await,
            Ok((0, "up\n".into()))
        );
        assert_eq!(
            cluster
                .exec("pod-a", &["sh", "-c", "echo out; echo err >&2; exit 5"])
                .await,
            Ok((5, "out\nerr\n".into()))
        );
        assert!(matches!(
            cluster.exec("pod-a", &["/does/not/exist"]).await,
            Err(ExecError::CannotStart(_))
        ));
        assert_eq!(
            cluster
                .exec("pod-a", &["sh", "-c", "missing-command 2>/dev/null"])
                .await,
            Ok((127, String::new()))
        );
        if tier == Tier::Sandboxed {
            assert_eq!(cluster.sh("pod-a", "hostname").await, "pod-a\n");
            assert!(!std::path::Path::new(&file).exists());
        } else {
            std::fs::remove_file(&file).unwrap();
        }
    }
}

#[tokio::test]
async fn prb_7_and_9_exec_probes_count_exit_codes_and_time() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let probed = |command: Value| {
            let mut pod = shell("sleep 100");
            pod[0]["readinessProbe"] = json!({"exec": {"command": command}, "periodSeconds": 1});
            pod
        };
        cluster
            .pod("well", probed(json!(["true"])), json!({}))
            .await;
        cluster
            .pod(
                "ill",
                probed(json!(["sh", "-c", "echo no; exit 2"])),
                json!({}),
            )
            .await;
        cluster
            .pod("slow", probed(json!(["sleep", "5"])), json!({}))
            .await;
        cluster
            .pod("missing", probed(json!(["/does/not/exist"])), json!({}))
            .await;
        cluster.until("well", is_ready).await;
        let expected = [
            "Readiness probe errored and resulted in unknown state: exec: \"/does/not/exist\": stat /does/not/exist: no such file or directory",
            "Readiness probe failed: command timed out: \"sleep 5\" timed out after 1s",
            "Readiness probe failed: no\n",
        ];
        eventually("all have failed more than once", async || {
            let told = cluster.events("Unhealthy").await;
            expected.iter().all(|message| {
                let same = |event: &&Event| event.message.as_deref() == Some(message);
                told.iter()
                    .find(same)
                    .is_some_and(|event| event.count > Some(1))
            })
        })
        .await;
        for name in ["ill", "slow", "missing"] {
            assert!(
                !is_ready(&cluster.pods().get(name).await.unwrap()),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_a_start_error_and_backs_off() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        cluster
            .pod(
                "no",
                json!([{"name": "c", "image": "busybox", "command": ["/no/such"]}]),
                json!({}),
            )
            .await;
        let pod = cluster
            .until("no", is_waiting_for("CrashLoopBackOff"))
            .await;
        let ended = container(&pod)
            .last_state
            .clone()
            .unwrap()
            .terminated
            .unwrap();
        assert_eq!(
            (ended.exit_code, ended.reason.as_deref()),
            (128, Some("StartError"))
        );
        assert!(
            ended
                .message
                .unwrap()
                .contains("exec: \"/no/such\": stat /no/such: no such file or directory")
        );
    }
}

#[tokio::test]
async fn box_5_nothing_outlives_a_harness_that_was_killed() {
    let mut tiers_to_try = vec!["plain"];
    tiers_to_try.extend(sandboxed().map(|_| "sandboxed"));
    for tier in tiers_to_try {
        let folder = tempfile::tempdir().unwrap();
        let seconds = mark(if tier == "plain" { 1 } else { 2 });
        let script = format!("setsid sleep {seconds} & (sleep {seconds} &) ; sleep {seconds}");
        let mut harness = Command::new(test_pod())
            .args([
                "hold",
                tier,
                folder.path().to_str().unwrap(),
                "sh",
                "-c",
                &script,
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(harness.stdout.take().unwrap()),
            &mut line,
        )
        .unwrap();
        let word = format!("sleep {seconds}");
        eventually("three sleep", async || {
            let all = processes_with(&word);
            all.iter().filter(|line| line.starts_with("sleep")).count() == 3
        })
        .await;
        harness.kill().unwrap();
        harness.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(1);
        while !processes_with(&word).is_empty() {
            assert!(
                Instant::now() < deadline,
                "{tier}: {:?}",
                processes_with(&word)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn usage_counts_every_process_of_a_container() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        running(
            &cluster,
            "busy",
            "(while :; do :; done) & sleep 100",
            json!({}),
        )
        .await;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let usage = cluster.node.usage();
            let [(name, used)] = &usage[..] else {
                panic!("{usage:?}")
            };
            assert_eq!(name.1, "busy");
            if used.cpu > Duration::from_millis(100) && used.memory > 100_000 {
                break;
            }
            assert!(Instant::now() < deadline, "{used:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn a_command_reads_its_input_to_the_end() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        running(&cluster, "reader", "sleep 100", json!({})).await;
        let (mut out, stdout) = tokio::io::simplex(1 << 16);
        let io = ExecIo {
            stdin: Some(Box::new(&b"one\ntwo\n"[..])),
            stdout: Box::new(stdout),
            stderr: Box::new(tokio::io::sink()),
        };
        let code = cluster
            .node
            .exec(
                "default",
                "reader",
                None,
                vec!["wc".into(), "-l".into()],
                io,
            )
            .await;
        let mut text = String::new();
        out.read_to_string(&mut text).await.unwrap();
        assert_eq!((code, text.trim()), (Ok(0), "2"));
    }
}

#[test]
fn box_10_without_a_working_shim_the_tier_is_plain() {
    for program in ["/bin/false", "/does/not/exist"] {
        let shim = ShimCommand {
            program: program.into(),
            args: vec![],
        };
        assert_eq!(detect(&shim), Tier::Plain);
    }
}

#[tokio::test]
async fn a_failed_post_start_hook_ends_the_container_and_hooks_run_inside_it() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let file = format!("/tmp/node-test-{}", mark(4));
        let mut pod = shell("trap 'cat $HOOKED; exit 4' TERM; sleep 100 & wait");
        pod[0]["env"] = json!([{"name": "HOOKED", "value": file}]);
        pod[0]["lifecycle"] = json!({"preStop": {"exec": {"command": ["sh", "-c", "echo stopped > $HOOKED"]}},
            "postStart": {"exec": {"command": ["sh", "-c", "sleep 0.2; exit 1"]}}});
        cluster.pod("room", pod, grace(3)).await;
        cluster.until("room", |pod| restarts(pod) == 1).await;
        assert_eq!(cluster.log("room", true), ["stopped"]);
        assert_eq!(
            cluster.events("FailedPostStartHook").await[0]
                .message
                .as_deref(),
            Some("PostStartHook failed: command exited with 1: ")
        );
        cluster.node.shutdown().await;
        let _ = std::fs::remove_file(&file);
    }
}
