//! processes — what /proc says about processes: their children, and the signals they catch.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::time::clock_getcpuclockid;
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

/// A process and all its descendants. Unlike [`descendants`] it costs no look at other processes.
pub(crate) fn tree(root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children"));
            let children = children.unwrap_or_default();
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<i32>().ok()),
            );
        }
        next += 1;
    }
    found
}

/// CPU time of a process, threads that have ended included, and of the children it has waited for.
pub(crate) fn cpu(pid: i32) -> Duration {
    let own = clock_getcpuclockid(Pid::from_raw(pid)).and_then(|clock| clock.now());
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    own.map_or(Duration::ZERO, Duration::from) + waited_for(&stat).unwrap_or_default()
}

/// What one process has used: CPU time as [`cpu`] has it, and memory that the kernel could not take back at once.
pub(crate) fn usage(pid: i32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    Usage {
        cpu: cpu(pid),
        memory: held(&status),
    }
}

/// The kernel tells these times in hundredths of a second, on every machine.
const TICK: Duration = Duration::from_millis(10);

fn waited_for(stat: &str) -> Option<Duration> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(TICK * (ticks(13)? + ticks(14)?))
}

fn held(status: &str) -> u64 {
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    let own = lines.filter(|(name, _)| matches!(*name, "RssAnon" | "RssShmem"));
    own.filter_map(|(_, amount)| kibibytes(amount)).sum()
}

fn kibibytes(amount: &str) -> Option<u64> {
    let kib = amount.trim().strip_suffix("kB")?.trim().parse::<u64>();
    kib.ok().map(|kib| kib * 1024)
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
    fn memory_is_what_no_file_can_give_back() {
        let status =
            "Name:\tx\nVmRSS:\t  99 kB\nRssAnon:\t  12 kB\nRssFile:\t 84 kB\nRssShmem:\t 3 kB\n";
        assert_eq!(held(status), 15 * 1024);
        assert!(usage(std::process::id().cast_signed()).memory > 100_000);
    }

    #[test]
    fn children_that_were_waited_for_count() {
        let stat = "17 (a) b) S 4 17 17 0 -1 4194560 9 9 0 0 1 2 30 4 20 0 1 0 5";
        assert_eq!(waited_for(stat), Some(Duration::from_millis(340)));
        assert_eq!(waited_for("17 (gone"), None);
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let found = descendants(std::process::id());
        let tree = tree(std::process::id().cast_signed());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&child.id().cast_signed()), "{found:?}");
        assert!(tree.contains(&child.id().cast_signed()), "{tree:?}");
    }
}
