//! Outages of known length and kind, beside what the report says of them: each is found where it was, or lies in time of which the
//! report says that it does not speak for the system.
mod score;

use super::{
    busy,
    scene::{Played, Scene, shop},
};
use model::{Micros, Verdict};
use score::Told;
use std::fmt::Write;

/// Has all outages tried, which takes some minutes.
const ASKED_FOR: &str = "BROWNOUT_MATRIX";

/// Every kind that a request can meet; a slow answer comes after what the load allows.
const KINDS: [&str; 7] = [
    "refuse",
    "reset",
    "hang",
    "503",
    "truncated",
    "wrong",
    "slow400",
];

/// In milliseconds.
const LENGTHS: [u64; 7] = [5, 10, 20, 50, 200, 1000, 5000];

/// The first comes so long after the first look, in milliseconds.
const FIRST_AT: u64 = 1000;

/// Between two, so that they are told apart.
const BETWEEN: u64 = 600;

/// An outage of this length is found at 200 requests a second on a machine that does nothing else.
const FOUND_MIN: Micros = Micros::from_millis(10);

/// Whether what takes long shall be done; if not, says so.
pub fn is_asked_for(test: &str) -> bool {
    let is_asked_for = std::env::var_os(ASKED_FOR).is_some();
    if !is_asked_for {
        println!(
            "{test}: skipped; set {ASKED_FOR}=1 to have it, and BROWNOUT_BUSY=1 to have it beside other work"
        );
    }
    is_asked_for
}

/// Outages of all lengths of all kinds, one after the other.
struct Course {
    plan: String,
    /// In seconds.
    duration: u64,
    rate: u64,
    connection: &'static str,
    expect: &'static str,
}

impl Course {
    fn of(kinds: &[&str], lengths: &[u64], rate: u64, connection: &'static str) -> Course {
        let mut at = FIRST_AT;
        let mut plan = String::new();
        for kind in kinds {
            for length in lengths {
                let _ = write!(plan, "{at},{length},{kind} ");
                at += length + BETWEEN;
            }
        }
        let needs_words = kinds.iter().any(|kind| ["wrong", "slow400"].contains(kind));
        Course {
            plan,
            duration: at.div_ceil(1000) + 1,
            rate,
            connection,
            expect: match needs_words {
                true => "expect: { contains: hello, within: 250ms }",
                false => "",
            },
        }
    }

    fn play(&self) -> Played {
        let Course {
            duration,
            rate,
            connection,
            expect,
            ..
        } = self;
        let asked = format!(
            "
  method:
    - name: customers
      load:
        rate: {rate}/s
        duration: {duration}s
        connection: {connection}
        timeout: 1s
        inFlightMax: 8000
        {expect}
        requests: [{{ url: 'http://shop:8080/look' }}]
  objectives:
    - {{ name: all, metric: availability, successCondition: '== 100%' }}
"
        );
        let shop = shop().without_probe().with("PLAN", &self.plan);
        Scene::new([shop], &asked).play()
    }

    /// From one request to the next.
    fn gap(&self) -> Micros {
        Micros(1_000_000 / self.rate)
    }
}

/// What is wrong with a report: an outage that it does not tell of, one that was none, a pass.
fn wrong(course: &Course, played: &Played, is_busy: bool) -> Vec<String> {
    let judgement = played.judgement();
    let truths = played.outages("shop");
    let planned = course.plan.split_whitespace().count();
    let mut wrong = vec![];
    if truths.len() != planned {
        wrong.push(format!("{} of {planned} outages took place", truths.len()));
    }
    let (windows, doubts, gap) = (&judgement.windows, &judgement.doubts, course.gap());
    for truth in &truths {
        let told = score::told(truth, windows, doubts, gap);
        let (kind, length) = (&truth.kind, truth.length());
        println!(
            "{}/s {}: {kind} of {length} at {}: {told}",
            course.rate, course.connection, truth.from
        );
        // Two requests in a row that are a little late leave so much unseen, and no report says more than that.
        let too_short = match is_busy {
            true => length.0 < gap.0 * 2,
            false => length < FOUND_MIN.max(gap),
        };
        let is_wrong = match told {
            Told::Found => false,
            Told::InDoubt => !is_busy && !too_short,
            Told::Misplaced { .. } => !is_busy,
            Told::Missed => !too_short,
        };
        if is_wrong {
            wrong.push(format!("{kind} of {length} at {}: {told}", truth.from));
        }
    }
    let phantoms = score::phantoms(windows, &truths, doubts, gap);
    wrong.extend(phantoms.iter().map(|w| format!("was no outage: {w:?}")));
    if judgement.verdict == Verdict::Pass {
        wrong.push("passed".into());
    }
    wrong
}

/// Plays each, and asserts that nothing was told wrongly of any.
fn are_told(courses: &[Course], is_busy: bool) {
    let mut all = vec![];
    for course in courses {
        let played = course.play();
        let wrong = wrong(course, &played, is_busy);
        if !wrong.is_empty() {
            let (rate, connection) = (course.rate, course.connection);
            all.push(format!(
                "{rate}/s {connection}:\n{}\n{}",
                wrong.join("\n"),
                played.told()
            ));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn outages_of_50_and_of_200_milliseconds_are_found_where_they_were() {
    let kinds = ["refuse", "hang", "503"];
    let course = Course::of(&kinds, &[50, 200], 200, "new");
    // Other tests may have the machine compile something: what was not seen then is not held against it.
    are_told(&[course], true);
}

#[test]
fn outages_of_every_length_and_kind_are_found_where_they_were() {
    if !is_asked_for("outages_of_every_length_and_kind_are_found_where_they_were") {
        return;
    }
    let busy = busy::if_asked_for();
    let mut courses = vec![];
    for rate in [200, 1000] {
        for connection in ["new", "reused"] {
            courses.push(Course::of(&KINDS, &LENGTHS, rate, connection));
        }
    }
    are_told(&courses, busy.is_some());
}
