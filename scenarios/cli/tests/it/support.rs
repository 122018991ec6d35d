//! Starting `brownout` and reading what it left.
use model::{Fact, Observation, Timeline};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    ffi::OsStr,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Condvar, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// No scenario of the quick profile takes longer, on a busy machine and on a real cluster.
const PATIENCE: Duration = Duration::from_secs(300);

/// Between two looks at something that will be so in a moment.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// So many runs at once that ask services this or that, or are stopped, do not hinder each other on two cores.
const RUNS_AT_ONCE: usize = 2;

static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// The right to run scenarios on this machine, until it is dropped.
pub struct Turn(usize);

impl Turn {
    /// Waits for it.
    pub fn take() -> Turn {
        Turn::of(1)
    }

    /// With nobody beside: for a run under load whose figures decide. What another run does to the machine would leave them in doubt.
    pub fn alone() -> Turn {
        Turn::of(RUNS_AT_ONCE)
    }

    fn of(share: usize) -> Turn {
        let running = RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = RUNNING
            .1
            .wait_while(running, |running| *running + share > RUNS_AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *running += share;
        Turn(share)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        RUNNING.1.notify_all();
    }
}

/// Looks again and again until there is something; panics when it takes too long.
pub fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A folder to start `brownout` in. Everything it may write to is in here: `runs`, and besides that nothing should appear.
pub struct Room {
    dir: tempfile::TempDir,
    program: PathBuf,
    before: Vec<String>,
}

impl Room {
    pub fn new() -> Room {
        let program = env!("CARGO_BIN_EXE_brownout").into();
        Room::at(
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            program,
        )
    }

    /// With a copy of the program that everybody on the machine can start, in a folder that everybody can write to.
    pub fn for_everybody() -> Room {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("brownout");
        fs::copy(env!("CARGO_BIN_EXE_brownout"), &program).unwrap();
        let room = Room::at(dir, program);
        for folder in [room.path(), &room.home(), &room.tmp()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
        }
        room
    }

    fn at(dir: tempfile::TempDir, program: PathBuf) -> Room {
        let room = Room {
            dir,
            program,
            before: shared_entries(),
        };
        fs::create_dir(room.home()).unwrap();
        fs::create_dir(room.tmp()).unwrap();
        room
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn runs(&self) -> PathBuf {
        self.path().join("runs")
    }

    fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    fn tmp(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// A name that no other folder on the machine has; it is in the path of everything that a run here makes.
    pub fn mark(&self) -> &str {
        self.path().file_name().and_then(OsStr::to_str).unwrap()
    }

    /// `brownout <args>`, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args);
        self.settle(&mut command);
        command
    }

    /// `brownout <args>` as somebody without any rights.
    pub fn command_of_nobody(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(&self.program).args(args);
        self.settle(&mut command);
        command
    }

    fn settle(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .env("HOME", self.home())
            .env("TMPDIR", self.tmp())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// Something short, to its end.
    pub fn ask(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    /// Starts `brownout scenarios <args>`; its runs are kept here.
    pub fn scenarios(&self, args: &[&str]) -> Started {
        Started::new(self.command(&self.in_runs(args)))
    }

    /// Starts `brownout scenarios <args>` where no file may have more than so many blocks of 512 bytes.
    pub fn scenarios_in_little_room(&self, args: &[&str], blocks: u32) -> Started {
        let limited = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited]).arg(&self.program);
        command.args(self.in_runs(args));
        self.settle(&mut command);
        Started::new(command)
    }

    fn in_runs<'a>(&self, args: &[&'a str]) -> Vec<&'a str> {
        [&["scenarios", "--runs", "runs"], args].concat()
    }

    /// Starts `brownout scenarios <args>` as somebody without any rights.
    pub fn scenarios_of_nobody(&self, args: &[&str]) -> Started {
        Started::new(self.command_of_nobody(&self.in_runs(args)))
    }

    /// The folder of the only run that was made here.
    pub fn run(&self) -> Run {
        let [run] = &self.all_runs()[..] else {
            panic!("not one run: {:?}", self.all_runs())
        };
        run.clone()
    }

    pub fn all_runs(&self) -> Vec<Run> {
        folders(&self.runs()).into_iter().map(Run).collect()
    }

    /// Whatever was written besides `runs`, here and where programs like to leave things.
    pub fn litter(&self) -> Vec<String> {
        let known = ["runs", "home", "tmp", "brownout"];
        let mut found: Vec<String> = names(self.path())
            .into_iter()
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        found.extend(names(&self.home()));
        found.extend(names(&self.tmp()));
        let shared = shared_entries();
        found.extend(shared.into_iter().filter(|e| !self.before.contains(e)));
        found
    }
}

/// Entries of the folders that all programs share which sound like ours: others write there at the same time.
fn shared_entries() -> Vec<String> {
    let of = |folder: &str| {
        let entries = names(Path::new(folder)).into_iter();
        let folder = folder.to_owned();
        entries.map(move |name| format!("{folder}/{name}"))
    };
    let ours = ["brownout", "mybnb", "kafka"];
    let all = ["/tmp", "/var/tmp", "/dev/shm"].into_iter().flat_map(of);
    all.filter(|entry| ours.iter().any(|word| entry.contains(word)))
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = names(folder)
        .into_iter()
        .map(|name| folder.join(name))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

/// How a process ended, with all it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process that was started. It is killed when this is dropped.
pub struct Started {
    child: Child,
    out: Option<JoinHandle<String>>,
    err: Option<JoinHandle<String>>,
}

impl Started {
    pub fn new(mut command: Command) -> Started {
        let mut child = command.spawn().unwrap();
        Started {
            out: child.stdout.take().map(read_all),
            err: child.stderr.take().map(read_all),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).unwrap();
    }

    /// To its end.
    pub fn end(mut self) -> Ended {
        self.end_within(PATIENCE)
    }

    /// What it said is handed over once.
    pub fn end_within(&mut self, limit: Duration) -> Ended {
        let ended: ExitStatus =
            eventually("brownout ends", limit, || self.child.try_wait().unwrap());
        let text = |reader: Option<JoinHandle<String>>| reader.unwrap().join().unwrap();
        Ended {
            code: ended.code(),
            out: text(self.out.take()),
            err: text(self.err.take()),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended already, unless its test panicked.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct Run(PathBuf);

impl Run {
    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub fn text(&self, file: &str) -> String {
        let file = self.0.join(file);
        fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    }

    pub fn result(&self) -> Value {
        serde_json::from_str(&self.text("result.json")).unwrap()
    }

    pub fn verdict(&self) -> String {
        self.result()["verdict"].as_str().unwrap().into()
    }

    /// The names of its arms.
    pub fn arms(&self) -> Vec<String> {
        let arms = folders(&self.0);
        arms.iter()
            .map(|a| a.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    /// What is on disk of an arm's timeline.
    pub fn timeline(&self, arm: &str) -> Timeline {
        Timeline::parse(&self.text(&format!("{arm}/timeline.jsonl"))).unwrap()
    }

    /// What its arms' nodes said of themselves.
    pub fn nodes(&self) -> Vec<String> {
        let node = |arm: &String| {
            let timeline = self.timeline(arm);
            let began = timeline.all().iter().find_map(began_on);
            began.expect("a run says where it runs")
        };
        self.arms().iter().map(node).collect()
    }
}

fn began_on(seen: &Observation) -> Option<String> {
    match &seen.fact {
        Fact::Began { node, .. } => Some(node.clone()),
        _ => None,
    }
}

/// The clusters to replay on, as arguments: always the embedded one.
pub fn clusters(test: &str) -> Vec<Vec<String>> {
    let mut all = vec![vec![]];
    match std::env::var("BROWNOUT_KUBECONFIG") {
        Ok(file) => all.push(
            ["--cluster", "kube", "--kubeconfig", &file]
                .map(String::from)
                .into(),
        ),
        Err(_) => println!("skipped: {test} on a real cluster needs BROWNOUT_KUBECONFIG"),
    }
    all
}
