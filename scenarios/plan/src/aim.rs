//! Faults that strike pods: which, how many, how often. Steps of a scenario and chaos files say it in the same words.
use crate::limits::{BLOWS_MAX, DURATION_MAX, GRACE_MAX, PODS_MAX, ROUNDS_MAX};
use crate::object::Object;
use model::{Aim, FaultKind, Micros, Mode, Rhythm, Selector};

/// Where the words stand.
pub struct Words<'o, 'a> {
    /// `workloads`, `selector`.
    pub target: &'o Object<'a>,
    /// `type`, `mode`, `value`, `gracePeriodSeconds`, `container`, `for`.
    pub fault: &'o Object<'a>,
    /// `every`, `times`, `for`, `jitter`.
    pub rhythm: &'o Object<'a>,
}

impl Words<'_, '_> {
    /// Reads a fault of this type.
    pub fn read(&self, word: &str) -> Option<FaultKind> {
        let aim = self.aim();
        let f = self.fault;
        let container = || f.text("container").map(String::from);
        match word {
            "pod-kill" => {
                f.refuses(&["container", "for"], "in a pod-kill");
                Some(FaultKind::PodKill {
                    grace_period_seconds: f.whole32("gracePeriodSeconds", 0, GRACE_MAX),
                    aim: aim?,
                })
            }
            "container-kill" => {
                f.refuses(&["gracePeriodSeconds", "for"], "in a container-kill");
                Some(FaultKind::ContainerKill {
                    container: container(),
                    aim: aim?,
                })
            }
            _ => {
                f.refuses(&["gracePeriodSeconds"], "in a process-hang");
                let held = f.duration("for");
                let aim = aim?;
                if aim.rhythm.times > 1 {
                    f.needs("for", "a process-hang that is repeated");
                }
                Some(FaultKind::ProcessHang {
                    container: container(),
                    held,
                    aim,
                })
            }
        }
    }

    fn aim(&self) -> Option<Aim> {
        let workloads = self.target.texts("workloads").into_iter();
        let workloads: Vec<String> = workloads.map(|(_, name)| name.into()).collect();
        let selector = self.selector();
        if self.target.get("selector").is_some() {
            let both = "beside selector, which chooses the pods by itself";
            self.target.refuses(&["workloads"], both);
        } else if workloads.is_empty() {
            self.target.needs("workloads", "a fault that strikes pods");
            return None;
        }
        let mode = self.mode();
        let rhythm = rhythm(self.rhythm);
        if let Some(rhythm) = &rhythm {
            self.bounded(rhythm, workloads.len().max(1));
        }
        Some(Aim {
            workloads,
            selector,
            mode: mode?,
            rhythm: rhythm?,
        })
    }

    /// Puts down blows that would be too many, or fall for too long.
    fn bounded(&self, rhythm: &Rhythm, lanes: usize) {
        let o = self.rhythm;
        let Some(node) = o.get("every") else {
            return;
        };
        let blows = u64::from(rhythm.times).saturating_mul(lanes as u64);
        if blows > BLOWS_MAX {
            let way_out = format!("at most {BLOWS_MAX} are possible");
            o.log
                .bad(node, format!("that would be {blows} blows"), way_out);
        }
        if rhythm.length() > DURATION_MAX {
            let message = format!("{} rounds would take longer than 720h", rhythm.times);
            o.log
                .bad(node, message, "write fewer, or let them be nearer");
        }
    }

    fn selector(&self) -> Option<Selector> {
        let node = self.target.get("selector")?;
        let read: Result<Selector, _> = serde_json::from_value(node.json());
        let way_out = "write a LabelSelector, as {matchLabels: {app: room}}";
        match read {
            Ok(selector) if selector == Selector::default() => {
                let message = "an empty selector means every pod of the namespace";
                self.target.log.bad(node, message, way_out);
                None
            }
            Ok(selector) => Some(selector),
            Err(e) => {
                let message = format!("this is no LabelSelector: {e}");
                self.target.log.bad(node, message, way_out);
                None
            }
        }
    }

    fn mode(&self) -> Option<Mode> {
        let f = self.fault;
        let word = match f.get("mode") {
            Some(_) => f.one_of("mode")?,
            None => "one",
        };
        if matches!(word, "one" | "all") {
            f.refuses(&["value"], &format!("with mode {word}"));
            return Some(if word == "one" { Mode::One } else { Mode::All });
        }
        f.needs("value", &format!("mode {word}"));
        let max = if word == "fixed" { PODS_MAX } else { 100 };
        let value = f.whole("value", 1, max.into())?;
        let value = u32::try_from(value).unwrap_or(max);
        Some(match word {
            "fixed" => Mode::Fixed(value),
            "fixed-percent" => Mode::FixedPercent(value),
            _ => Mode::RandomMaxPercent(value),
        })
    }
}

/// Reads `every`, `times`, `for` and `jitter`; without `every` there is one round.
fn rhythm(o: &Object) -> Option<Rhythm> {
    let jitter = o.duration("jitter").unwrap_or(Micros::ZERO);
    let Some(node) = o.get("every") else {
        o.refuses(&["times", "for"], "without every");
        return Some(Rhythm {
            jitter,
            ..Rhythm::ONCE
        });
    };
    let every = o.duration("every")?;
    if every == Micros::ZERO {
        o.log
            .bad(node, "every 0s is at once for ever", "write e.g. 10s");
        return None;
    }
    let rounds = match (o.get("times"), o.get("for")) {
        (Some(_), Some(node)) => {
            let way_out = "write one of them";
            o.log.bad(node, "both times and for say how often", way_out);
            return None;
        }
        (Some(_), None) => o.whole("times", 1, ROUNDS_MAX)?,
        (None, Some(node)) => {
            let rounds = o.duration("for")?.0.div_ceil(every.0);
            if !(1..=ROUNDS_MAX).contains(&rounds) {
                let message = format!("that would be {rounds} rounds");
                o.log
                    .bad(node, message, format!("1 to {ROUNDS_MAX} are possible"));
                return None;
            }
            rounds
        }
        (None, None) => {
            o.needs("times", "every without for");
            return None;
        }
    };
    Some(Rhythm {
        every,
        times: u32::try_from(rounds).ok()?,
        jitter,
    })
}
