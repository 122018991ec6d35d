//! hooks — what a manifest wants done right after a container's start and right before its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use apiserver::ExecError;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Container as Manifest, LifecycleHandler};
use tokio::time::sleep;

use crate::probes::{self, Attempt, Check, attempt};
use crate::runtime::{Capture, Container};

/// A hook at work; it has no time limit of its own.
pub(super) type Hook = BoxFuture<'static, Result<(), String>>;

/// The work of a handler, or nothing if it says nothing we know.
pub(super) fn of(
    handler: &LifecycleHandler,
    manifest: &Manifest,
    address: IpAddr,
    container: &Arc<dyn Container>,
) -> Option<Hook> {
    if let Some(exec) = &handler.exec {
        let words = exec.command.clone().unwrap_or_default();
        return Some(Box::pin(command(container.clone(), words)));
    }
    if let Some(get) = &handler.http_get {
        return Some(Box::pin(ask(probes::http(get, manifest, address))));
    }
    let seconds = u64::try_from(handler.sleep.as_ref()?.seconds).unwrap_or(0);
    Some(Box::pin(async move {
        sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }))
}

async fn command(container: Arc<dyn Container>, words: Vec<String>) -> Result<(), String> {
    let (io, output) = Capture::io();
    match container.exec(words, io).await {
        Ok(0) => Ok(()),
        Ok(code) => Err(format!(
            "command exited with {code}: {}",
            output.text().trim()
        )),
        Err(ExecError::NotRunning(why) | ExecError::CannotStart(why)) => Err(why),
    }
}

async fn ask(check: Check) -> Result<(), String> {
    match attempt::over_network(check).await {
        Attempt::Success | Attempt::Warning(_) => Ok(()),
        Attempt::Failure(why) | Attempt::Discarded(why) => Err(why),
    }
}
