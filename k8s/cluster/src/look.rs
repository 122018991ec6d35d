//! Looking into objects, containers and logs.
use crate::{Cluster, Error, objects::doing};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{AttachParams, ListParams, LogParams},
};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Which objects of a kind.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// The one of that name.
    Name(&'a str),
    /// Those with a label selector as `kubectl -l` takes it.
    Labels(&'a str),
}

/// What a command in a container came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// How it ended; `None` if it could not begin.
    pub exit_code: Option<i32>,
    /// The beginning of what it printed.
    pub stdout: String,
    /// The beginning of its complaints.
    pub stderr: String,
    /// Why it did not begin.
    pub refused: String,
}

impl Cluster {
    /// Objects as they are now, by name; none where there is none.
    ///
    /// # Errors
    /// When the API server does not answer, or does not know the kind.
    pub async fn objects(
        &self,
        namespace: &str,
        api_version: &str,
        kind: &str,
        which: Which<'_>,
    ) -> Result<Vec<Value>, Error> {
        let api = self.api(namespace, api_version, kind);
        let what = format!("reading {kind}");
        let mut found = match which {
            Which::Name(name) => match api.get(name).await {
                Ok(object) => vec![object],
                Err(kube::Error::Api(status)) if is_no_such(&status, name) => vec![],
                Err(e) => return Err(doing(what)(e)),
            },
            Which::Labels(labels) => {
                let params = ListParams::default().labels(labels);
                api.list(&params).await.map_err(doing(what))?.items
            }
        };
        found.sort_by_key(|object| object.name_any());
        let json = |object| serde_json::to_value(object).expect("it came as JSON");
        Ok(found.into_iter().map(json).collect())
    }

    /// Runs a command in a container of a pod, the first if none is named, and waits for its end. At most `kept` bytes of what it
    /// prints are kept.
    ///
    /// # Errors
    /// When there is no such pod, or the connection fails.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
        kept: usize,
    ) -> Result<Output, Error> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let mut params = AttachParams::default().stderr(true);
        if let Some(container) = container {
            params = params.container(container);
        }
        let what = format!("running {} in {pod}", command.join(" "));
        let process = pods.exec(pod, command, &params).await;
        let mut process = process.map_err(doing(what))?;
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = process.take_status().expect("it is taken once");
        let (stdout, stderr, status) = tokio::join!(text(stdout, kept), text(stderr, kept), status);
        let status = status.unwrap_or_default();
        let causes = status.details.and_then(|d| d.causes).unwrap_or_default();
        let code = causes
            .iter()
            .find(|c| c.reason.as_deref() == Some("ExitCode"));
        let code = code.and_then(|c| c.message.as_deref()?.parse().ok());
        let ok = status.status.as_deref() == Some("Success");
        let exit_code = code.or(ok.then_some(0));
        Ok(Output {
            exit_code,
            stdout,
            stderr,
            refused: match exit_code {
                None => status
                    .message
                    .unwrap_or_else(|| "it did not say how it ended".into()),
                Some(_) => String::new(),
            },
        })
    }

    /// The end of a container's log, at most `lines` of it, of the first container if none is named.
    ///
    /// # Errors
    /// When the pod does not exist, or its container has not begun.
    pub async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        lines: i64,
    ) -> Result<String, Error> {
        let which = LogParams {
            container: container.map(Into::into),
            ..LogParams::default()
        };
        self.end_of_log(namespace, pod, lines, which).await
    }

    /// The end of the log of a container that has ended: with `previous` of the start before the one that is current.
    ///
    /// # Errors
    /// When there is no such log.
    pub async fn last_words(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: i64,
    ) -> Result<String, Error> {
        let which = LogParams {
            container: Some(container.into()),
            previous,
            ..LogParams::default()
        };
        self.end_of_log(namespace, pod, lines, which).await
    }

    /// The end of a container's log, at most `lines` of it, of the first container, each line with when it was written (RFC 3339).
    ///
    /// # Errors
    /// When the pod does not exist, or its container has not begun.
    pub async fn dated_log(&self, namespace: &str, pod: &str, lines: i64) -> Result<String, Error> {
        let which = LogParams {
            timestamps: true,
            ..LogParams::default()
        };
        self.end_of_log(namespace, pod, lines, which).await
    }

    async fn end_of_log(
        &self,
        namespace: &str,
        pod: &str,
        lines: i64,
        which: LogParams,
    ) -> Result<String, Error> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let params = LogParams {
            tail_lines: Some(lines),
            ..which
        };
        let log = pods.logs(pod, &params).await;
        log.map_err(doing(format!("reading the log of {pod}")))
    }

    /// Names of pods with a label selector, sorted.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn pod_names(&self, namespace: &str, labels: &str) -> Result<Vec<String>, Error> {
        let found = self.objects(namespace, "v1", "Pod", Which::Labels(labels));
        let found = found.await?.into_iter();
        let name = |pod: Value| pod["metadata"]["name"].as_str().map(str::to_owned);
        Ok(found.filter_map(name).collect())
    }
}

/// A kind that is not known is not found as well, but that answer names no object.
fn is_no_such(status: &kube::core::Status, name: &str) -> bool {
    let details = status.details.as_ref();
    status.is_not_found() && details.is_some_and(|d| d.name == name)
}

/// The beginning of a stream, which is read to its end.
async fn text(stream: Option<impl AsyncRead + Unpin>, kept: usize) -> String {
    let mut all = vec![];
    if let Some(mut stream) = stream {
        let mut piece = vec![0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut piece).await {
            let room = kept.saturating_sub(all.len()).min(n);
            all.extend_from_slice(&piece[..room]);
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}
