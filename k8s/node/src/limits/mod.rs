//! limits — what a container may use, and who sees to it (`semantics.md` 6.3): the kernel where it lets us, else the node itself.

mod budget;
mod cgroup;
mod places;
mod settings;
mod watchdog;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use apiserver::quantity;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::runtime::Usage;
pub use cgroup::sweep;
use cgroup::{Group, Parent};
pub(crate) use watchdog::{Processes, Watchdog, usage};

/// How limits on CPU and memory are kept, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The kernel does it; all processes of a container end when its memory is used up.
    CgroupV2,
    /// The kernel does it; only one process ends when the memory is used up, not always the first one.
    CgroupV1,
    /// The node looks at a container's processes every few milliseconds, stops them when they have used their share of 100 ms, and kills
    /// them when they hold too much memory. Approximate: bursts are seen late, and a stopped program sees time jump.
    StopAndGo,
    /// A script uses no more than it may.
    Simulated,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::CgroupV2 => "cgroup-v2",
            Level::CgroupV1 => "cgroup-v1",
            Level::StopAndGo => "stop-and-go",
            Level::Simulated => "simulated",
        })
    }
}

/// What a container asks for and what it may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a CPU it may use, over each 100 ms; without it all there is.
    pub cpu_limit: Option<u64>,
    /// Thousandths of a CPU it asks for: its share when CPUs are short.
    pub cpu_request: u64,
    /// Bytes it may hold; without it all there are.
    pub memory_limit: Option<u64>,
}

impl Resources {
    /// What a manifest says.
    pub fn of(manifest: &Container) -> Resources {
        let resources = manifest.resources.clone().unwrap_or_default();
        let thousandths = |amount: &Quantity| u64::try_from(quantity::thousandths(&amount.0)?).ok();
        let limits = resources.limits.unwrap_or_default();
        let cpu_limit = limits.get("cpu").and_then(thousandths);
        let requests = resources.requests.unwrap_or_default();
        let request = requests.get("cpu").and_then(thousandths);
        Resources {
            // Zero is no limit, as for the kubelet.
            cpu_limit: cpu_limit.filter(|limit| *limit > 0),
            cpu_request: request.or(cpu_limit).unwrap_or(0),
            memory_limit: limits
                .get("memory")
                .and_then(thousandths)
                .map(|bytes| bytes / 1000)
                .filter(|bytes| *bytes > 0),
        }
    }
}

/// Keeps limits. Copies share it.
#[derive(Clone)]
pub struct Limits(Option<Arc<Parent>>);

impl Limits {
    /// The best level of this machine, found by trying.
    pub fn detect() -> Limits {
        for level in [Level::CgroupV2, Level::CgroupV1] {
            match Limits::at(level) {
                Ok(limits) => return limits,
                Err(error) => tracing::debug!(%level, %error, "not here"),
            }
        }
        Limits(None)
    }

    /// This level and no other.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub fn at(level: Level) -> io::Result<Limits> {
        let version = match level {
            Level::CgroupV2 => settings::Version::Two,
            Level::CgroupV1 => settings::Version::One,
            Level::StopAndGo => return Ok(Limits(None)),
            Level::Simulated => return Err(io::Error::other("scripts only can be simulated")),
        };
        Parent::create(version).map(|parent| Limits(Some(Arc::new(parent))))
    }

    /// The level in force.
    pub fn level(&self) -> Level {
        match self.0.as_deref().map(Parent::version) {
            Some(settings::Version::Two) => Level::CgroupV2,
            Some(settings::Version::One) => Level::CgroupV1,
            None => Level::StopAndGo,
        }
    }

    /// A place for one container's processes.
    pub(crate) fn place(&self, resources: &Resources) -> io::Result<Place> {
        let group = self.0.as_ref().map(|parent| parent.group(resources));
        Ok(Place(group.transpose()?))
    }
}

/// Where one container's processes are counted; without a control group nowhere.
pub(crate) struct Place(Option<Group>);

impl Place {
    /// A process that writes `0` into each of these files is in.
    pub fn doors(&self) -> Vec<PathBuf> {
        self.0.as_ref().map_or(vec![], Group::doors)
    }

    /// What all processes that were ever in it have used; none without a control group.
    pub fn usage(&self) -> Option<Usage> {
        self.0.as_ref().map(Group::usage)
    }

    /// In how many periods the kernel has held its processes back; none without a control group.
    pub fn throttled(&self) -> u64 {
        self.0.as_ref().map_or(0, Group::throttled)
    }

    /// Whether the kernel has killed a process in it for want of memory.
    pub fn has_run_out_of_memory(&self) -> bool {
        self.0.as_ref().is_some_and(|group| group.oom_kills() > 0)
    }
}

/// Goes through the doors of a [`Place`], first thing in a new process.
pub(crate) fn enter(doors: &[PathBuf]) -> io::Result<()> {
    for door in doors {
        std::fs::write(door, "0").map_err(|error| {
            io::Error::other(format!("control group {}: {error}", door.display()))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(resources: Value) -> Resources {
        let manifest = json!({"name": "c", "resources": resources});
        Resources::of(&serde_json::from_value(manifest).unwrap())
    }

    #[test]
    fn a_limit_is_also_a_request_unless_there_is_another() {
        let limits = json!({"cpu": "200m", "memory": "100Mi"});
        let expected = Resources {
            cpu_limit: Some(200),
            cpu_request: 200,
            memory_limit: Some(100 << 20),
        };
        assert_eq!(of(json!({"limits": limits})), expected);
        let both = of(json!({"limits": limits, "requests": {"cpu": "50m"}}));
        assert_eq!(both.cpu_request, 50);
        assert_eq!(of(json!({"limits": {"cpu": "0"}})), Resources::default());
        assert_eq!(of(json!({})), Resources::default());
    }

    #[test]
    fn a_process_cannot_enter_what_is_not_there() {
        let nowhere = PathBuf::from("/nowhere/cgroup.procs");
        let error = enter(&[nowhere]).unwrap_err().to_string();
        assert!(
            error.starts_with("control group /nowhere/cgroup.procs: "),
            "{error}"
        );
    }
}
