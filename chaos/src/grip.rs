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

/// Whoever wants a kill says when within this time; after it nothing is killed.
const WORD_MAX: Duration = Duration::from_secs(10);

/// What is said to it when the process is to be killed.
pub const NOW: &str = "now";

/// Does what `args` say: `kill`, or `hold <ms>`. Prints a line about what it does. It kills when it is told [`NOW`] on standard
/// input, so that nobody takes another end for this one; holding ends after that time, or when standard input ends.
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

/// Kills the process when it is told to. One that is not the first of its PID namespace dies of a signal.
fn end(first: Pid) -> Result<(), String> {
    say(&format!("killing process {first}"));
    if !is_told() {
        return Err("nobody said when".into());
    }
    if first.as_raw() != 1 {
        return kill(first, Signal::SIGKILL).map_err(|e| not_allowed("killed", e));
    }
    ptrace::seize(first, Options::PTRACE_O_EXITKILL).map_err(|e| not_allowed("killed", e))
    // This process ends now, and the other with it.
}

/// Whether somebody says that it is time.
fn is_told() -> bool {
    let (said, word) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = io::stdin().read_line(&mut line);
        let _ = said.send(line.trim() == NOW);
    });
    word.recv_timeout(WORD_MAX).unwrap_or(false)
}

fn hold(first: Pid, limit: Duration) -> Result<(), String> {
    let held = stop_all(first)?;
    ours(first, &held)?;
    let others = others(first);
    say(&format!(
        "held process {first}, each of its {} threads stopped by us{others}",
        held.len()
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

/// What `/proc` says of each thread: that it is stopped, and by us. One that was stopped by somebody else would stay so when we let
/// go, and shows nothing of ours.
fn ours(first: Pid, threads: &BTreeSet<Pid>) -> Result<(), String> {
    let me = std::process::id();
    let is_ours = |thread: &&Pid| {
        let status = fs::read_to_string(format!("/proc/{first}/task/{thread}/status"));
        // One that was killed meanwhile answers nobody.
        status.map_or(true, |status| stopped_by(&status) == Some(me))
    };
    match threads.iter().filter(|thread| !is_ours(thread)).count() {
        0 => Ok(()),
        n => Err(format!(
            "{n} of {} threads of process {first} are not stopped by us",
            threads.len()
        )),
    }
}

/// Who traces a thread that is stopped for its tracer, by its `/proc/…/status`.
fn stopped_by(status: &str) -> Option<u32> {
    let field = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
    };
    let stopped = field("State:")?.starts_with('t');
    stopped.then(|| field("TracerPid:")?.parse().ok())?
}

/// Children of the process go on: what a shell has started answers as before. For people, with a leading comma.
fn others(first: Pid) -> String {
    let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
    let children = children.unwrap_or_default();
    match children.split_whitespace().count() {
        0 => String::new(),
        1 => ", its 1 child goes on".into(),
        n => format!(", its {n} children go on"),
    }
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
    fn a_thread_is_held_by_us_when_its_status_says_so() {
        let status = |state: &str, tracer: u32| {
            format!("Name:\tserver\nState:\t{state}\nTgid:\t7\nTracerPid:\t{tracer}\n")
        };
        assert_eq!(stopped_by(&status("t (tracing stop)", 42)), Some(42));
        // Stopped by a signal, whoever traces it.
        assert_eq!(stopped_by(&status("T (stopped)", 42)), None);
        assert_eq!(stopped_by(&status("S (sleeping)", 42)), None);
        assert_eq!(stopped_by("nonsense"), None);
    }

    #[test]
    fn a_refusal_names_the_way_out() {
        let why = not_allowed("held", Errno::EPERM);
        assert!(why.contains("EPERM") && why.contains("SYS_PTRACE"), "{why}");
        assert!(!not_allowed("held", Errno::ESRCH).contains("SYS_PTRACE"));
    }
}
