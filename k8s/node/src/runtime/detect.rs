//! detect — the best tier of this machine, found by trying it: rules about namespaces are many and change.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{ShimCommand, Tier};
use crate::shim::{Order, Sandbox};

/// A trial that hangs counts as failed.
const TRIAL_MAX: Duration = Duration::from_secs(5);

/// Starts `/bin/true` in a sandbox. Takes some ten milliseconds and blocks for them.
pub fn detect(shim: &ShimCommand) -> Tier {
    match trial(shim) {
        Ok(true) => Tier::Sandboxed,
        Ok(false) => Tier::Plain,
        Err(error) => {
            tracing::debug!(%error, "no sandbox");
            Tier::Plain
        }
    }
}

fn trial(shim: &ShimCommand) -> std::io::Result<bool> {
    let sandbox = Sandbox {
        hostname: "trial".into(),
        mounts: vec![],
    };
    let order = Order {
        sandbox: Some(sandbox),
        command: vec!["/bin/true".into()],
        working_dir: None,
        groups: vec![],
    };
    let (near, far) = UnixStream::pair()?;
    near.set_read_timeout(Some(TRIAL_MAX))?;
    let mut child = Command::new(&shim.program)
        .args(&shim.args)
        .args(["run", &serde_json::to_string(&order)?])
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let said: Vec<String> = BufReader::new(&near)
        .lines()
        .map_while(Result::ok)
        .collect();
    // Ends the shim, should it still be there.
    drop(near);
    child.wait()?;
    tracing::debug!(?said, "trial of a sandbox");
    Ok(said.last().is_some_and(|end| end == "exited 0"))
}
