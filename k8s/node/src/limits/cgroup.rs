//! cgroup — limits kept by the kernel: a control group for the node and one in it for each container.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Resources;
use super::places::places;
use super::settings::{self, Version};
use crate::runtime::Usage;

/// What the folders of all nodes begin with; the process that made one follows.
const PREFIX: &str = "brownout-";
/// A killed process leaves its group within milliseconds.
const REMOVALS_MAX: u32 = 50;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(10);

/// All pods together count as this many processes for each CPU, as soon as CPUs are short: as one they would wait for whatever else the
/// machine does, and with far more the node itself would wait for its pods.
const WEIGHT: u64 = 8;

/// Numbers the groups that this process makes.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The group of a node. Dropping it removes it.
pub(super) struct Parent {
    version: Version,
    dirs: Dirs,
}

/// The folders of a group, by controller. Controllers may share one.
#[derive(Debug, Clone, PartialEq)]
struct Dirs(BTreeMap<&'static str, PathBuf>);

impl Dirs {
    fn each(&self) -> Vec<&PathBuf> {
        let mut all: Vec<&PathBuf> = self.0.values().collect();
        all.sort();
        all.dedup();
        all
    }

    fn below(&self, name: &str) -> Dirs {
        let dirs = self.0.iter();
        Dirs(
            dirs.map(|(controller, dir)| (*controller, dir.join(name)))
                .collect(),
        )
    }

    fn create(&self) -> io::Result<()> {
        self.each().into_iter().try_for_each(fs::create_dir)
    }

    fn read(&self, controller: &str, file: &str) -> String {
        let dir = self.0.get(controller);
        dir.and_then(|dir| fs::read_to_string(dir.join(file)).ok())
            .unwrap_or_default()
    }

    fn apply(&self, version: Version, resources: &Resources) -> io::Result<()> {
        for setting in settings::of(version, resources) {
            let Some(dir) = self.0.get(setting.controller) else {
                continue;
            };
            let path = dir.join(setting.file);
            match fs::write(&path, &setting.value) {
                Err(error) if setting.required => {
                    let (path, value) = (path.display(), setting.value);
                    return Err(io::Error::other(format!("{path}: {value}: {error}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends what is still in it and removes it.
    fn remove(&self) {
        for dir in self.each() {
            for _ in 0..REMOVALS_MAX {
                match fs::remove_dir(dir) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(_) => kill_all(dir),
                }
                sleep(BETWEEN_REMOVALS);
            }
        }
    }
}

fn kill_all(dir: &Path) {
    let inside = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    for pid in inside.lines().filter_map(|line| line.parse().ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// The groups that this process is in itself.
fn own(version: Version) -> io::Result<Dirs> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let places = places(&mounts, &groups);
    let dirs = ["cpu", "cpuacct", "memory"].map(|name| {
        let place = match version {
            Version::One => name,
            Version::Two => "",
        };
        Some((name, places.get(place)?.clone()))
    });
    let dirs = dirs.into_iter().collect::<Option<BTreeMap<_, _>>>();
    let missing = || io::Error::other("cpu, cpuacct and memory are not all there");
    Ok(Dirs(dirs.ok_or_else(missing)?))
}

/// Removes the empty groups that killed processes of ours have left. Whoever makes groups does so first, too.
pub fn sweep() {
    let all = [Version::One, Version::Two].into_iter();
    for dirs in all.filter_map(|version| own(version).ok()) {
        for dir in dirs.each() {
            remove_stale(dir);
        }
    }
}

impl Parent {
    /// Makes the group and tries it.
    pub fn create(version: Version) -> io::Result<Parent> {
        let own = own(version)?;
        for dir in own.each() {
            remove_stale(dir);
        }
        if version == Version::Two {
            delegate(own.each()[0])?;
        }
        let dirs = own.below(&name());
        let parent = Parent { version, dirs };
        parent.dirs.create()?;
        if version == Version::Two {
            enable(parent.dirs.each()[0])?;
        }
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let everything = Resources {
            cpu_request: 1000 * cpus * WEIGHT,
            ..Resources::default()
        };
        parent.dirs.apply(version, &everything)?;
        parent.dirs.try_out(version)?;
        Ok(parent)
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// A group for one container.
    pub fn group(self: &Arc<Parent>, resources: &Resources) -> io::Result<Group> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let group = Group {
            dirs: self.dirs.below(&number.to_string()),
            parent: self.clone(),
        };
        group.dirs.create()?;
        group.dirs.apply(self.version, resources)?;
        Ok(group)
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.dirs.remove();
    }
}

fn name() -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}", std::process::id())
}

/// Groups of processes that are gone, killed before they could remove them.
fn remove_stale(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let Some((owner, _)) = owner.and_then(|rest| rest.split_once('-')) else {
            continue;
        };
        if Path::new("/proc").join(owner).exists() {
            continue;
        }
        let inner = fs::read_dir(entry.path()).into_iter().flatten().flatten();
        let inner = inner.filter(|one| one.file_type().is_ok_and(|kind| kind.is_dir()));
        for dir in inner.map(|one| one.path()).chain([entry.path()]) {
            Dirs([("", dir)].into()).remove();
        }
    }
}

/// Version 2 counts nothing for groups that hold both processes and groups: this process moves into one beside those of its pods.
fn delegate(own: &Path) -> io::Result<()> {
    let available = fs::read_to_string(own.join("cgroup.controllers"))?;
    if !["cpu", "memory"]
        .iter()
        .all(|name| available.split_whitespace().any(|one| one == *name))
    {
        return Err(io::Error::other(format!(
            "{} has {available:?} only",
            own.display()
        )));
    }
    if enable(own).is_ok() {
        return Ok(());
    }
    let harness = own.join(name());
    fs::create_dir(&harness)?;
    let moved = fs::write(harness.join("cgroup.procs"), "0").and_then(|()| enable(own));
    if moved.is_err() {
        fs::write(own.join("cgroup.procs"), "0")?;
        fs::remove_dir(&harness)?;
    }
    moved
}

fn enable(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("cgroup.subtree_control"), "+cpu +memory")
}

impl Dirs {
    /// Puts a process into a group with limits: whether that is allowed is not written anywhere.
    fn try_out(&self, version: Version) -> io::Result<()> {
        let trial = self.below("trial");
        trial.create()?;
        let resources = Resources {
            cpu_limit: Some(1000),
            cpu_request: 1000,
            memory_limit: Some(64 << 20),
        };
        let mut waiting = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let doors = trial.each().into_iter().map(|dir| dir.join("cgroup.procs"));
        let tried = trial.apply(version, &resources).and_then(|()| {
            let pid = waiting.id().to_string();
            doors.into_iter().try_for_each(|door| fs::write(door, &pid))
        });
        waiting.kill()?;
        waiting.wait()?;
        trial.remove();
        tried
    }
}

/// The group of one container. Dropping it ends what is in it and removes it.
pub(super) struct Group {
    dirs: Dirs,
    parent: Arc<Parent>,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.dirs.remove();
    }
}

impl Group {
    pub fn doors(&self) -> Vec<PathBuf> {
        let dirs = self.dirs.each().into_iter();
        dirs.map(|dir| dir.join("cgroup.procs")).collect()
    }

    /// CPU time, and the memory that the kernel could not take back at once.
    pub fn usage(&self) -> Usage {
        let read = |controller, file: &str| self.dirs.read(controller, file);
        let (cpu, held, cached) = match self.parent.version {
            Version::One => (
                Duration::from_nanos(number(&read("cpuacct", "cpuacct.usage"))),
                number(&read("memory", "memory.usage_in_bytes")),
                field(&read("memory", "memory.stat"), "total_inactive_file"),
            ),
            Version::Two => (
                Duration::from_micros(field(&read("cpu", "cpu.stat"), "usage_usec")),
                number(&read("memory", "memory.current")),
                field(&read("memory", "memory.stat"), "inactive_file"),
            ),
        };
        Usage {
            cpu,
            memory: held.saturating_sub(cached),
        }
    }

    /// Periods in which the quota was used up.
    pub fn throttled(&self) -> u64 {
        field(&self.dirs.read("cpu", "cpu.stat"), "nr_throttled")
    }

    pub fn oom_kills(&self) -> u64 {
        let file = match self.parent.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        field(&self.dirs.read("memory", file), "oom_kill")
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// The number after a word at the beginning of a line.
fn field(text: &str, name: &str) -> u64 {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let mut found = lines.filter(|(word, _)| *word == name);
    found.next().map_or(0, |(_, value)| number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of plain folders that stand for the kernel's.
    fn parent(version: Version) -> (tempfile::TempDir, Arc<Parent>) {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str| match version {
            Version::One => root.path().join(name),
            Version::Two => root.path().join("all"),
        };
        let dirs = Dirs(
            ["cpu", "cpuacct", "memory"]
                .map(|name| (name, dir(name)))
                .into(),
        );
        dirs.create().unwrap();
        (root, Arc::new(Parent { version, dirs }))
    }

    fn limited() -> Resources {
        Resources {
            cpu_limit: Some(200),
            cpu_request: 200,
            memory_limit: Some(1 << 20),
        }
    }

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        let (root, parent) = parent(Version::One);
        let group = parent.group(&limited()).unwrap();
        assert_eq!(group.doors().len(), 3);
        let name = group.dirs.0["cpu"].file_name().unwrap().to_owned();
        let read = |controller: &str, file: &str| {
            fs::read_to_string(root.path().join(controller).join(&name).join(file)).unwrap()
        };
        assert_eq!(read("cpu", "cpu.cfs_quota_us"), "20000");
        assert_eq!(read("memory", "memory.limit_in_bytes"), "1048576");
        let write = |controller: &str, file: &str, text: &str| {
            fs::write(group.dirs.0[controller].join(file), text).unwrap();
        };
        write("cpuacct", "cpuacct.usage", "1500000\n");
        write("memory", "memory.usage_in_bytes", "5000\n");
        write(
            "memory",
            "memory.stat",
            "cache 9\ntotal_inactive_file 1000\n",
        );
        write(
            "memory",
            "memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        );
        let expected = Usage {
            cpu: Duration::from_micros(1500),
            memory: 4000,
        };
        assert_eq!((group.usage(), group.oom_kills()), (expected, 2));
        fs::remove_dir_all(root.path()).unwrap();
    }

    #[test]
    fn version_2_has_one_folder() {
        let (root, parent) = parent(Version::Two);
        let group = parent.group(&limited()).unwrap();
        assert_eq!(group.doors().len(), 1);
        let dir = &group.dirs.0["cpu"];
        assert_eq!(
            fs::read_to_string(dir.join("cpu.max")).unwrap(),
            "20000 100000"
        );
        let cpu = "usage_usec 42\nuser_usec 40\nnr_periods 9\nnr_throttled 4\n";
        fs::write(dir.join("cpu.stat"), cpu).unwrap();
        assert_eq!(group.throttled(), 4);
        fs::write(dir.join("memory.current"), "5000\n").unwrap();
        fs::write(dir.join("memory.stat"), "anon 1\ninactive_file 1000\n").unwrap();
        fs::write(dir.join("memory.events"), "oom 1\noom_kill 0\n").unwrap();
        let expected = Usage {
            cpu: Duration::from_micros(42),
            memory: 4000,
        };
        assert_eq!((group.usage(), group.oom_kills()), (expected, 0));
        fs::remove_dir_all(root.path()).unwrap();
    }

    #[test]
    fn a_group_goes_with_its_container() {
        let (root, parent) = parent(Version::Two);
        let group = Group {
            dirs: parent.dirs.below("1"),
            parent: parent.clone(),
        };
        group.dirs.create().unwrap();
        drop(group);
        assert!(!root.path().join("all/1").exists());
        drop(parent);
        assert!(!root.path().join("all").exists());
    }

    #[test]
    fn groups_of_processes_that_are_gone_are_removed() {
        let root = tempfile::tempdir().unwrap();
        // No process has this number: it is above the kernel's greatest.
        let stale = root.path().join("brownout-99999999-0");
        let own = root
            .path()
            .join(format!("brownout-{}-0", std::process::id()));
        fs::create_dir_all(stale.join("7")).unwrap();
        fs::create_dir(&own).unwrap();
        remove_stale(root.path());
        assert!(!stale.exists() && own.exists());
    }
}
