//! What runs inside the struck container, by exec: it kills or holds the container's first process.
//!
//! The first process of a PID namespace ignores every signal from inside that it has no handler for, `SIGKILL` and `SIGSTOP`
//! included. What the kernel does itself it does not ignore: a tracer that ends with `PTRACE_O_EXITKILL` takes its tracee with it,
//! and `PTRACE_INTERRUPT` stops a thread. Both need no capability, only the same user as the process, and a kernel that lets one
//! process trace another that is not its child (`kernel.yama.ptrace_scope` 0, or the capability `SYS_PTRACE`).
//!
//! A tracer that ends, however it ends, lets go: what is held cannot stay held when the one who held it is gone.
use nix::{
    errno::Errno,
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, Read, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

/// The hidden word of the command line that leads here.
pub const WORD: &str = "grip";

/// Where the embedded cluster's node, whose plain containers have no PID namespace, says which process is the container's first.
pub const INIT_VARIABLE: &str = "BROWNOUT_INIT";

/// Threads that are started while others are being stopped are found by looking again, so often at most.
const ROUNDS_MAX: u32 = 100;

/// Does what `args` say: `kill`, or `hold <ms>`. Prints a line about what it did; holding ends after that time, or when standard
/// input ends.
pub fn main(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let first = first_of_container();
    let done = match words[..] {
        ["kill"] => end(first),
        ["hold", ms] => match ms.parse() {
            Ok(ms) => hold(first, Duration::from_millis(ms)),
            Err(_) => Err(format!("{ms} is no number of milliseconds")),
        },
        _ => Err("write kill, or hold and a number of milliseconds".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("refused {why}"));
            ExitCode::FAILURE
        }
    }
}

/// The process that the container was started with: 1, unless the pod's containers share their processes, or the node says so.
fn first_of_container() -> Pid {
    let said = env::var(INIT_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok());
    if let Some(said) = said {
        return Pid::from_raw(said);
    }
    let world = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let mine = world("self");
    let me = std::process::id();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_my_world =
        numbers.filter(|n| *n != me && mine.is_some() && world(&n.to_string()) == mine);
    Pid::from_raw(of_my_world.min().map_or(1, u32::cast_signed))
}

/// The reader may be gone, which is what holding waits for.
fn say(line: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Kills the process. One that is not the first of its PID namespace dies of a signal.
fn end(first: Pid) -> Result<(), String> {
    say(&format!("killing process {first}"));
    if first.as_raw() != 1 {
        return kill(first, Signal::SIGKILL).map_err(|e| not_allowed("killed", e));
    }
    ptrace::seize(first, Options::PTRACE_O_EXITKILL).map_err(|e| not_allowed("killed", e))
    // This process ends now, and the other with it.
}

fn hold(first: Pid, limit: Duration) -> Result<(), String> {
    let held = stop_all(first)?;
    say(&format!(
        "held process {first} with all its threads, {}",
        states(first, &held)
    ));
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().by_ref(), &mut io::sink());
        let _ = ended.send(());
    });
    let why = match end.recv_timeout(limit) {
        Ok(()) => "as asked",
        Err(_) => "for its time is over",
    };
    for thread in &held {
        // One that was killed meanwhile needs no letting go.
        let _ = ptrace::detach(*thread, None);
    }
    say(&format!("let go of process {first} {why}"));
    Ok(())
}

/// Stops every thread, those that begin meanwhile too.
fn stop_all(first: Pid) -> Result<BTreeSet<Pid>, String> {
    let mut held = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let fresh: Vec<Pid> = threads(first)?
            .into_iter()
            .filter(|t| !held.contains(t))
            .collect();
        if fresh.is_empty() {
            return Ok(held);
        }
        for thread in fresh {
            match stop(thread) {
                // It ended by itself.
                Err(Errno::ESRCH) => {}
                Err(e) => return Err(not_allowed("held", e)),
                Ok(()) => drop(held.insert(thread)),
            }
        }
    }
    Err(format!(
        "process {first} starts threads faster than they can be stopped"
    ))
}

fn stop(thread: Pid) -> nix::Result<()> {
    ptrace::seize(thread, Options::empty())?;
    ptrace::interrupt(thread)?;
    waitpid(thread, Some(WaitPidFlag::__WALL)).map(drop)
}

fn threads(of: Pid) -> Result<Vec<Pid>, String> {
    let folder = fs::read_dir(format!("/proc/{of}/task"))
        .map_err(|e| format!("process {of} cannot be seen: {e}"))?;
    let numbers = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.map(Pid::from_raw).collect())
}

/// What `/proc` says of them: `9 in state t`.
fn states(first: Pid, threads: &BTreeSet<Pid>) -> String {
    let stopped = threads.iter().filter(|thread| {
        let stat = fs::read_to_string(format!("/proc/{first}/task/{thread}/stat"));
        stat.is_ok_and(|stat| state(&stat) == Some('t'))
    });
    format!("{} of {} in state t", stopped.count(), threads.len())
}

/// The letter after the name, which may hold anything.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

fn not_allowed(what: &str, error: Errno) -> String {
    let way_out = match error {
        Errno::EPERM | Errno::EACCES => {
            ": the node allows no tracing (kernel.yama.ptrace_scope), or another tracer is there; the capability SYS_PTRACE of the \
             container helps"
        }
        _ => "",
    };
    format!("it cannot be {what} ({error}){way_out}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_thread_comes_after_its_name() {
        assert_eq!(state("7 (tokio-rt (1) x) t 1 7 7 0"), Some('t'));
        assert_eq!(state("nonsense"), None);
    }

    #[test]
    fn a_refusal_names_the_way_out() {
        let why = not_allowed("held", Errno::EPERM);
        assert!(why.contains("EPERM") && why.contains("SYS_PTRACE"), "{why}");
        assert!(!not_allowed("held", Errno::ESRCH).contains("SYS_PTRACE"));
    }
}
