//! processes — what /proc says about processes: their children, and the signals they catch.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::runtime::Usage;

/// Whether the process installed a handler for `signal`. A process that is gone catches nothing.
pub(crate) fn catches(pid: Pid, signal: Signal) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| is_caught(&status, signal))
}

fn is_caught(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    mask >> (signal as i32 - 1) & 1 == 1
}

/// Children, grandchildren and so on of a process, as far as this process can see them.
pub(crate) fn descendants(of: u32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(parent) = fs::read_to_string(entry.path().join("stat"))
            .ok()
            .as_deref()
            .and_then(parent)
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&of.cast_signed()).unwrap_or_default();
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// What one process has used.
pub(crate) fn usage(pid: i32) -> Usage {
    let read = |path: String| fs::read_to_string(path).unwrap_or_default();
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let ran = threads.filter_map(|thread| {
        read(format!("{}/schedstat", thread.path().display()))
            .split(' ')
            .next()?
            .parse::<u64>()
            .ok()
    });
    let cpu = Duration::from_nanos(ran.sum());
    Usage {
        cpu,
        memory: resident(&read(format!("/proc/{pid}/status"))).unwrap_or(0),
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

// The name, in parentheses, may itself hold spaces and parentheses.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent("17 (a) b (c) S 4 17 17 0"), Some(4));
        assert_eq!(parent("17 (gone"), None);
    }

    #[test]
    fn a_caught_signal_is_a_bit_of_the_mask() {
        let status = "Name:\tsh\nSigIgn:\t0000000000004000\nSigCgt:\t0000000000004002\n";
        assert!(is_caught(status, Signal::SIGTERM) && is_caught(status, Signal::SIGINT));
        assert!(!is_caught(status, Signal::SIGHUP) && !is_caught("", Signal::SIGTERM));
    }

    #[test]
    fn this_process_uses_memory() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t     12 kB\n"), Some(12 * 1024));
        assert!(usage(std::process::id().cast_signed()).memory > 100_000);
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let found = descendants(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id().cast_signed()), "{found:?}");
    }
}
