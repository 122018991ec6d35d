//! What runs on this machine, as /proc tells it.
use std::{collections::BTreeSet, fs};

/// A process that cannot be mistaken for a later one of the same number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: u32,
    pub name: String,
    parent: u32,
    began: u64,
}

/// All that run. One that has ended and was not waited for is not there.
fn all() -> Vec<Process> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        parse(pid, &fs::read_to_string(entry.path().join("stat")).ok()?)
    })
    .collect()
}

/// `17 (name) S 4 …`; the name may hold anything.
fn parse(pid: u32, stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let (state, parent, began) = (*fields.first()?, fields.get(1)?, fields.get(19)?);
    (!["Z", "X"].contains(&state)).then_some(Process {
        pid,
        name: head.split_once('(')?.1.into(),
        parent: parent.parse().ok()?,
        began: began.parse().ok()?,
    })
}

/// Children, grandchildren and so on.
pub fn descendants(of: u32) -> BTreeSet<Process> {
    let all = all();
    let mut found = BTreeSet::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|p| p.parent == parent) {
            parents.push(child.pid);
            found.insert(child.clone());
        }
    }
    found
}

/// Those of `known` that still run, and whoever else has to do with a folder: by its command line, its environment or what is
/// mounted for it.
pub fn left(known: &BTreeSet<Process>, mark: &str) -> Vec<Process> {
    all()
        .into_iter()
        .filter(|p| {
            known.iter().any(|k| (k.pid, k.began) == (p.pid, p.began)) || knows(p.pid, mark)
        })
        .collect()
}

/// How deep below /sys/fs/cgroup a control group of ours may be.
const GROUP_DEPTH_MAX: u32 = 6;

/// The control groups that a process has made for its pods, and not removed.
pub fn control_groups(pid: u32) -> Vec<String> {
    let prefix = format!("brownout-{pid}-");
    let mut found = vec![];
    let mut folders = vec![("/sys/fs/cgroup".to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
        for entry in inner {
            let path = entry.path().to_string_lossy().into_owned();
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(path);
            } else if depth < GROUP_DEPTH_MAX {
                folders.push((path, depth + 1));
            }
        }
    }
    found
}

fn knows(pid: u32, mark: &str) -> bool {
    let files = ["cmdline", "environ", "mountinfo"];
    files.iter().any(|file| {
        // A file that cannot be read belongs to a process that is just gone, or to somebody else.
        let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        text.windows(mark.len()).any(|part| part == mark.as_bytes())
    })
}

#[test]
fn a_process_is_found_by_its_parent_and_by_its_folder_until_it_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().file_name().unwrap().to_str().unwrap();
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .env("FOLDER", dir.path())
        .spawn()
        .unwrap();
    let mine = |p: &Process| p.pid == child.id();
    let known: BTreeSet<_> = descendants(std::process::id())
        .into_iter()
        .filter(mine)
        .collect();
    assert_eq!(known.len(), 1);
    let by_folder = left(&BTreeSet::new(), mark);
    assert_eq!(
        by_folder.iter().map(|p| p.pid).collect::<Vec<_>>(),
        [child.id()]
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(left(&known, mark), []);
}
