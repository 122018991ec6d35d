//! Runs on disk, judged again: what is left is said with 4, what cannot be read is an error that changes nothing, and no file
//! makes it hang, panic or grow.
use crate::support::{Ended, Room};
use chaos::{Change, Entry, Journal, Place};
use model::{Fact, Micros, Observation, Plan, Profile, RequestFact, Timeline, observation::Phase};
use nix::{sys::stat::Mode, unistd::mkfifo};
use plan::Overrides;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, Instant},
};

const SCENARIO: &str = "mybnb/async-alarm-down";
const FAULT: &str = "alarm-down";
const LOAD: &str = "rooms-registered";
/// Whatever a file holds, it is refused or judged in this time.
const SOON: Duration = Duration::from_secs(20);

/// A folder as a run leaves it.
struct Recorded {
    room: Room,
    run: PathBuf,
}

fn plan() -> Plan {
    let catalog = plan::catalog();
    let scenario = catalog.find(SCENARIO).unwrap().remove(0);
    let read = |path: &str| catalog.read(path);
    let none = Overrides::new();
    let plans = scenario.plans(Profile::Quick, None, None, &none, &read);
    plans.unwrap().remove(0)
}

fn at(second: u64, fact: Fact) -> Observation {
    Observation {
        at: Micros::from_secs(second),
        fact,
    }
}

/// A run on that kind of cluster, until its fault is in place.
fn begun(cluster: &str) -> Timeline {
    let mut all = vec![
        at(
            0,
            Fact::Began {
                wall: "2026-11-20T16:00:00Z".into(),
                cluster: cluster.into(),
                version: "v1.33".into(),
                node: "a machine".into(),
                namespace: "mybnb-1".into(),
            },
        ),
        at(
            1,
            Fact::Injected {
                step: FAULT.into(),
                fault: "service-down".into(),
                targets: vec!["alarm".into()],
            },
        ),
    ];
    all.extend((2..20).map(|second| {
        let request = RequestFact {
            step: LOAD.into(),
            sent: Micros::from_secs(second),
            done: Micros::from_secs(second) + Micros(900),
            status: Some(201),
            ..RequestFact::default()
        };
        at(second, Fact::Request(request))
    }));
    Timeline::new(all)
}

impl Recorded {
    fn new(timeline: &str) -> Recorded {
        let room = Room::new();
        let run = room.runs().join("r");
        let recorded = Recorded { room, run };
        fs::create_dir_all(recorded.run.join("main")).unwrap();
        recorded.write("run.json", &json!({"command": "again", "arms": ["main"]}));
        recorded.write("main/plan.json", &serde_json::to_value(plan()).unwrap());
        fs::write(recorded.timeline(), timeline).unwrap();
        recorded
    }

    fn write(&self, file: &str, json: &Value) {
        fs::write(self.run.join(file), json.to_string()).unwrap();
    }

    fn timeline(&self) -> PathBuf {
        self.run.join("main/timeline.jsonl")
    }

    fn journal(&self, place: Place, further: &[Entry]) {
        let mut journal = Journal::open(&self.run.join("main")).unwrap();
        let name = "mybnb-1".into();
        journal.write(&Entry::Namespace { name, place }).unwrap();
        further.iter().for_each(|e| journal.write(e).unwrap());
    }

    /// `brownout report`, soon and without a panic.
    fn report(&self) -> Ended {
        let began = Instant::now();
        let ended = self.room.ask(&["report", "runs/r"]);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        ended
    }

    /// It is refused with 64 for this reason, and the page that was there is the one that is there.
    fn refuses(&self, why: &str) {
        let page = self.run.join("report.html");
        fs::write(&page, "the first").unwrap();
        let ended = self.report();
        assert_eq!(ended.code, Some(64), "{}\n{}", ended.out, ended.err);
        assert!(ended.err.contains(why), "{}", ended.err);
        assert_eq!(fs::read_to_string(page).unwrap(), "the first");
    }
}

fn real() -> Place {
    Place::Kube {
        kubeconfig: None,
        context: None,
    }
}

#[test]
fn what_a_killed_run_left_is_4_until_it_is_taken_away() {
    let torn = begun("kube").write() + "{\"at\":20000000,\"fa";
    let recorded = Recorded::new(&torn);
    let injecting = Entry::Injecting {
        step: FAULT.into(),
        undo: Change::Nothing,
    };
    recorded.journal(real(), &[injecting]);
    let ended = recorded.report();
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.out, ended.err);
    let why = "“alarm-down” was injected and not undone, namespace mybnb-1 was not deleted";
    assert!(ended.err.contains(why), "{}", ended.err);
    let result: Value =
        serde_json::from_str(&fs::read_to_string(recorded.run.join("result.json")).unwrap())
            .unwrap();
    assert_eq!(result["exitCode"], 4);
    let page = fs::read_to_string(recorded.run.join("report.html")).unwrap();
    assert!(page.contains("that everything was taken back"));
    recorded.journal(real(), &[Entry::Clean]);
    assert_eq!(recorded.report().code, Some(2));
}

#[test]
fn without_a_journal_the_timeline_says_what_may_be_left() {
    let ended = Recorded::new(&begun("kube").write()).report();
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.out, ended.err);
    let embedded = Recorded::new(&begun("embedded").write());
    assert_eq!(embedded.report().code, Some(2), "it ended with its process");
    let left = json!({"command": "again", "arms": ["main"], "left": "SIGINT"});
    embedded.write("run.json", &left);
    let ended = embedded.report();
    assert_eq!(ended.code, Some(4), "{}\n{}", ended.out, ended.err);
    assert!(
        ended.err.contains("left at once, by SIGINT"),
        "{}",
        ended.err
    );
}

#[test]
fn a_timeline_that_is_missing_or_damaged_is_an_error_and_no_report_is_overwritten() {
    let recorded = Recorded::new(&begun("embedded").write());
    recorded.journal(Place::Embedded, &[]);
    assert_eq!(recorded.report().code, Some(2));
    fs::write(recorded.timeline(), "").unwrap();
    recorded.refuses("nothing is in it, and the reports beside it were made of 20 observations");
    fs::remove_file(recorded.timeline()).unwrap();
    recorded.refuses("it is not there, and the run had begun");
    let damaged = begun("embedded").write().replacen("\"at\"", "\"ta\"", 1);
    fs::write(recorded.timeline(), damaged).unwrap();
    recorded.refuses("timeline.jsonl: line 1: ");
    let torn = begun("embedded").write() + "{\"at\":20";
    fs::write(recorded.timeline(), torn).unwrap();
    assert_eq!(
        recorded.report().code,
        Some(2),
        "a torn end is what a kill leaves"
    );
    fs::write(recorded.run.join("main/plan.json"), "{").unwrap();
    recorded.refuses("plan.json: EOF");
}

#[test]
fn a_run_that_was_killed_before_it_began_is_inconclusive() {
    let recorded = Recorded::new("");
    fs::remove_file(recorded.timeline()).unwrap();
    assert_eq!(recorded.report().code, Some(2));
    assert_eq!(recorded.report().code, Some(2), "the second time as well");
}

#[test]
fn an_arm_lies_in_the_folder_of_its_run() {
    let recorded = Recorded::new(&begun("embedded").write());
    fs::create_dir_all(recorded.room.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", recorded.run.join("link")).unwrap();
    for arm in [
        "../..",
        "../../elsewhere",
        "/etc",
        "link",
        ".",
        "main/../..",
    ] {
        recorded.write("run.json", &json!({"command": "again", "arms": [arm]}));
        recorded.refuses("is not a folder of this run");
    }
    recorded.write(
        "run.json",
        &json!({"command": "again", "arms": ["main\u{1b}[2J"]}),
    );
    recorded.refuses("main␛[2J");
    recorded.write("run.json", &json!({"command": "again", "arms": []}));
    recorded.refuses("it names no arm");
}

#[test]
fn times_and_lines_without_end_are_refused() {
    let recorded = Recorded::new("");
    for us in [1 << 63, u64::MAX] {
        let line = json!({"at": us, "fact": "phase", "phase": "Running"});
        fs::write(recorded.timeline(), format!("{line}\n")).unwrap();
        recorded.refuses("timeline.jsonl: line 1: ");
    }
    File::create(recorded.timeline())
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    recorded.refuses("line 1: it has more than 67108864 bytes");
    fs::remove_file(recorded.timeline()).unwrap();
    mkfifo(&recorded.timeline(), Mode::S_IRWXU).unwrap();
    recorded.refuses("it is not a regular file");
}

#[test]
fn figures_without_measure_are_judged_and_drawn() {
    let mut all = begun("embedded").all().to_vec();
    for o in &mut all {
        if let Fact::Request(r) = &mut o.fact {
            (r.bytes, r.seq, r.index) = (u64::MAX, u64::MAX, u32::MAX);
        }
    }
    all.extend(begun("embedded").all().iter().map(|o| Observation {
        at: Micros::LONGEST,
        fact: o.fact.clone(),
    }));
    let recorded = Recorded::new(&Timeline::new(all).write());
    let plan = fs::read_to_string(recorded.run.join("main/plan.json")).unwrap();
    let most: Value = absurd(serde_json::from_str(&plan).unwrap());
    recorded.write("main/plan.json", &most);
    let ended = recorded.report();
    assert_eq!(ended.code, Some(2), "{}\n{}", ended.out, ended.err);
    let page = fs::metadata(recorded.run.join("report.html")).unwrap();
    assert!(page.len() < 4 << 20, "{}", page.len());
}

/// Every time of a plan as long as can be read, every rate as high.
fn absurd(plan: Value) -> Value {
    match plan {
        Value::Object(members) => {
            let member = |(key, value): (String, Value)| {
                let value = match key.as_str() {
                    "rate" => json!(1e308),
                    "duration" | "at" | "deadline" | "timeout" if value.is_number() => {
                        json!(Micros::LONGEST)
                    }
                    "times" | "users" | "weight" | "in_flight_max" | "inFlightMax" => {
                        json!(u32::MAX)
                    }
                    // Manifests are of their cluster.
                    "objects" => value,
                    _ => absurd(value),
                };
                (key, value)
            };
            members.into_iter().map(member).collect()
        }
        Value::Array(items) => items.into_iter().map(absurd).collect(),
        other => other,
    }
}

#[test]
fn what_steers_a_terminal_or_a_page_is_shown_wherever_a_person_or_a_parser_reads() {
    const EVIL: &str = "\u{1b}[2J\u{1b}]0;x\u{7}|`<img src=x>`\r\n## <b>pass</b> \u{202e}\u{9b}31m";
    let recorded = Recorded::new("");
    let mut plan = plan();
    plan.hypothesis = EVIL.into();
    plan.scenario = format!("a/{EVIL}");
    plan.checks
        .iter_mut()
        .for_each(|check| check.name = EVIL.into());
    recorded.write("main/plan.json", &serde_json::to_value(&plan).unwrap());
    recorded.write(
        "run.json",
        &json!({"command": format!("run {EVIL}"), "arms": ["main"]}),
    );
    let because = EVIL.to_string();
    let mut all = begun("embedded").all().to_vec();
    all.push(at(1, Fact::NotSteady { because }));
    all.push(at(1, Fact::Gap { what: EVIL.into() }));
    all.push(at(
        1,
        Fact::Phase {
            phase: Phase::Running,
        },
    ));
    fs::write(recorded.timeline(), Timeline::new(all).write()).unwrap();
    let ended = recorded.report();
    assert_eq!(ended.code, Some(2), "{}\n{}", ended.out, ended.err);
    let file = |name: &str| fs::read_to_string(recorded.run.join(name)).unwrap();
    let (page, junit, markdown) = (file("report.html"), file("junit.xml"), file("report.md"));
    for text in [&ended.out, &ended.err, &page, &junit, &markdown] {
        let steers = |c: &char| c.is_control() && !"\n\t".contains(*c) || *c == '\u{202e}';
        assert_eq!(text.chars().find(steers), None, "{text}");
    }
    // Code in Markdown is no markup, and a terminal knows none.
    let (prose, _) = markdown.split_once("\n```").unwrap();
    for text in [page.as_str(), &junit, prose] {
        assert!(
            !text.contains("<img") && !text.contains("<b>pass"),
            "{text}"
        );
    }
    for text in [&ended.out, &page, &junit, &markdown] {
        assert!(text.contains("␛"), "{text}");
    }
}

#[test]
fn what_is_no_file_is_refused_at_once_wherever_a_file_is_named() {
    let room = Room::new();
    let named = |name: &str, text: &str| {
        fs::write(room.path().join(name), text).unwrap();
    };
    mkfifo(&room.path().join("pipe.yaml"), Mode::S_IRWXU).unwrap();
    fs::create_dir(room.path().join("folder.yaml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", room.path().join("zero.yaml")).unwrap();
    let long = File::create(room.path().join("long.yaml")).unwrap();
    long.set_len(50_000_000).unwrap();
    let cases = [
        ("pipe.yaml", "it is not a regular file"),
        ("folder.yaml", "it is not a regular file"),
        ("zero.yaml", "it is not a regular file"),
        ("long.yaml", "it has more than"),
    ];
    let asked = |args: &[&str], why: &str| {
        let began = Instant::now();
        let ended = room.ask(args);
        assert_eq!(
            ended.code,
            Some(64),
            "{args:?} {}\n{}",
            ended.out,
            ended.err
        );
        assert!(ended.err.contains(why), "{args:?} {}", ended.err);
        assert!(began.elapsed() < SOON, "{args:?} {:?}", began.elapsed());
    };
    for (file, why) in cases {
        asked(&["validate", file], why);
        asked(&["explain", file], why);
        asked(&["scenarios", file], why);
        asked(&["chaos", "validate", file], why);
        named(
            "s.yaml",
            &format!(
                "apiVersion: brownout/v1alpha1
kind: Scenario
metadata: {{ name: shop/x }}
spec:
  hypothesis: It holds.
  target: {{ namespace: shop }}
  manifests: [{file}]
  load: {{ rate: 2/s, duration: 1s, requests: [{{ url: \"http://a:8080/\" }}] }}
  objectives: [{{ metric: errors, successCondition: \"== 0\" }}]
"
            ),
        );
        asked(&["validate", "s.yaml"], why);
    }
}
