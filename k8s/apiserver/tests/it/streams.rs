//! Logs and exec, with a stand-in for the node.

use crate::target::{Target, embedded_only, pod};
use apiserver::{ExecError, ExecIo, LogFile, Streams};
use futures::{AsyncReadExt, future::BoxFuture};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, LogParams},
};
use serde_json::json;
use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt},
    sync::watch,
};

/// A node with one log file and a few commands.
struct Stage {
    log: PathBuf,
    ended: watch::Receiver<bool>,
    heard: Mutex<Vec<String>>,
}

impl Streams for Stage {
    fn log_file(
        &self,
        _namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<LogFile, String> {
        if previous {
            let container = container.unwrap_or("");
            return Err(format!(
                "previous terminated container \"{container}\" in pod \"{pod}\" not found"
            ));
        }
        Ok(LogFile {
            path: self.log.clone(),
            ended: self.ended.clone(),
        })
    }

    fn exec(
        &self,
        _namespace: &str,
        _pod: &str,
        container: Option<&str>,
        command: Vec<String>,
        mut io: ExecIo,
    ) -> BoxFuture<'static, Result<i32, ExecError>> {
        self.heard.lock().unwrap().push(format!(
            "{} {}",
            container.unwrap_or("-"),
            command.join(" ")
        ));
        Box::pin(async move {
            match command[0].as_str() {
                "stopped" => Err(ExecError::NotRunning("container not found (\"c\")".into())),
                "missing" => Err(ExecError::CannotStart("no such program: missing".into())),
                "exit" => Ok(command[1].parse().unwrap()),
                "cat" => {
                    let mut input = String::new();
                    io.stdin.unwrap().read_to_string(&mut input).await.unwrap();
                    io.stdout
                        .write_all(input.to_uppercase().as_bytes())
                        .await
                        .unwrap();
                    io.stderr.write_all(b"done").await.unwrap();
                    Ok(0)
                }
                _ => std::future::pending().await,
            }
        })
    }
}

struct Scene {
    target: Target,
    pods: Api<Pod>,
    stage: Arc<Stage>,
    log: std::fs::File,
    end: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

async fn scene(statement: &str) -> Option<Scene> {
    let target = embedded_only(statement).await?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    let log = std::fs::File::create(&path).unwrap();
    let (end, ended) = watch::channel(false);
    let stage = Arc::new(Stage {
        log: path,
        ended,
        heard: Mutex::default(),
    });
    target.embedded.as_ref().unwrap().set_streams(stage.clone());
    target.create("pods", pod("a", json!({}))).await;
    Some(Scene {
        pods: Api::namespaced(target.client.clone(), &target.namespace),
        target,
        stage,
        log,
        end,
        _folder: folder,
    })
}

impl Scene {
    fn write(&mut self, seconds_ago: i64, text: &str) {
        let now = self.target.embedded.as_ref().unwrap().clock().now();
        let time = now - k8s_openapi::jiff::SignedDuration::from_secs(seconds_ago);
        writeln!(self.log, "{time} stdout F {text}").unwrap();
    }

    async fn log(&self, params: LogParams) -> String {
        self.pods.logs("a", &params).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn api_18_logs_are_cut_to_what_is_wanted() {
    let Some(mut scene) = scene("API-18").await else {
        return;
    };
    for (ago, text) in [(100, "one"), (50, "two"), (1, "three")] {
        scene.write(ago, text);
    }
    let whole = LogParams::default();
    assert_eq!(scene.log(whole.clone()).await, "one\ntwo\nthree\n");
    assert_eq!(
        scene
            .log(LogParams {
                tail_lines: Some(1),
                ..whole.clone()
            })
            .await,
        "three\n"
    );
    assert_eq!(
        scene
            .log(LogParams {
                since_seconds: Some(60),
                ..whole.clone()
            })
            .await,
        "two\nthree\n"
    );
    assert_eq!(
        scene
            .log(LogParams {
                limit_bytes: Some(5),
                ..whole.clone()
            })
            .await,
        "one\nt"
    );
    let stamped = scene
        .log(LogParams {
            timestamps: true,
            tail_lines: Some(1),
            ..whole.clone()
        })
        .await;
    assert!(
        stamped.ends_with("Z three\n") && stamped.len() > 20,
        "{stamped}"
    );
    let previous = scene
        .pods
        .logs(
            "a",
            &LogParams {
                previous: true,
                ..whole
            },
        )
        .await
        .unwrap_err();
    assert!(
        previous
            .to_string()
            .contains("previous terminated container \"c\" in pod \"a\" not found"),
        "{previous}"
    );
}

#[tokio::test(start_paused = true)]
async fn api_18_a_followed_log_ends_with_its_container() {
    let Some(mut scene) = scene("API-18").await else {
        return;
    };
    scene.write(0, "one");
    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut log = scene.pods.log_stream("a", &follow).await.unwrap();
    let mut first = [0; 4];
    log.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"one\n");
    scene.write(0, "two");
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.write(0, "three");
    scene.end.send(true).unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "two\nthree\n");
}

#[tokio::test(start_paused = true)]
async fn api_18_a_log_of_nothing_is_refused() {
    let Some(scene) = scene("API-18").await else {
        return;
    };
    assert_eq!(
        scene.target.get("pods/none/log").await.reason(),
        (404, "NotFound")
    );
    let wrong = scene.target.get("pods/a/log?container=x").await;
    assert_eq!(
        (wrong.code, wrong.message()),
        (400, "container x is not valid for pod a")
    );
}

/// Output, complaints and exit code (none if there was no exit).
async fn exec(
    scene: &Scene,
    command: &[&str],
    input: Option<&str>,
) -> (String, String, Option<i32>) {
    let params = AttachParams::default().stdin(input.is_some()).stderr(true);
    let mut process = scene
        .pods
        .exec("a", command.iter().copied(), &params)
        .await
        .unwrap();
    if let Some(input) = input {
        let mut stdin = process.stdin().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        stdin.shutdown().await.unwrap();
    }
    let (mut out, mut err) = (String::new(), String::new());
    process
        .stdout()
        .unwrap()
        .read_to_string(&mut out)
        .await
        .unwrap();
    process
        .stderr()
        .unwrap()
        .read_to_string(&mut err)
        .await
        .unwrap();
    let status = process.take_status().unwrap().await.unwrap();
    let causes = status.details.and_then(|d| d.causes).unwrap_or_default();
    let code = causes
        .iter()
        .find(|c| c.reason.as_deref() == Some("ExitCode"));
    let code = code
        .and_then(|c| c.message.as_deref())
        .map(|m| m.parse().unwrap());
    let success = (status.status.as_deref() == Some("Success")).then_some(0);
    (out, err, code.or(success))
}

#[tokio::test(start_paused = true)]
async fn api_19_exec_passes_streams_and_exit_codes() {
    let Some(scene) = scene("API-19").await else {
        return;
    };
    assert_eq!(
        exec(&scene, &["cat"], Some("hello")).await,
        ("HELLO".into(), "done".into(), Some(0))
    );
    for code in [0, 1, 127, 143] {
        assert_eq!(
            exec(&scene, &["exit", &code.to_string()], None).await.2,
            Some(code)
        );
    }
    assert_eq!(exec(&scene, &["missing"], None).await.2, None);
    assert_eq!(scene.stage.heard.lock().unwrap()[0], "c cat");
}

#[tokio::test(start_paused = true)]
async fn api_19_a_container_that_does_not_run_is_told_when_the_connection_is_made() {
    let Some(scene) = scene("API-19").await else {
        return;
    };
    let why = "Internal error occurred: unable to upgrade connection: container not found (\"c\")";
    assert_eq!(refusal(&scene, "stopped").await, why);
    let ended = json!({"status": {"phase": "Succeeded", "containerStatuses": [
        {"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}]}});
    scene.target.merge("pods/a/status", ended).await;
    assert_eq!(refusal(&scene, "exit").await, why);
}

/// Why a command did not run.
async fn refusal(scene: &Scene, command: &str) -> String {
    let params = AttachParams::default();
    let process = scene.pods.exec("a", [command], &params).await;
    let status = process.unwrap().take_status().unwrap().await.unwrap();
    assert_eq!(
        (status.code, status.reason.as_deref()),
        (Some(500), Some("InternalError"))
    );
    status.message.unwrap()
}
