//! How a fault that falls into a load came, seen from the load's first request: as planned, or later.
use crate::{Fact, Micros, Plan, Start, Timeline};

/// What is later than this is said in words: less is the way from one process to another.
const SAID_MIN: Micros = Micros::from_millis(100);

/// When a fault was to be injected and when it was, both from the first request of the load it falls into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// Name of the step with the load.
    pub load: String,
    /// Planned.
    pub planned: Micros,
    /// Seen.
    pub injected: Micros,
}

impl Late {
    /// Of a step that injects a fault; none where it falls into no load, or either was not seen.
    pub fn of(step: &str, plan: &Plan, timeline: &Timeline) -> Option<Late> {
        let Start::During { load, at } = &plan.step(step)?.start else {
            return None;
        };
        let began = seen(
            timeline,
            |fact| matches!(fact, Fact::LoadBegan { step, .. } if step == load),
        )?;
        let injected = seen(
            timeline,
            |fact| matches!(fact, Fact::Injected { step: s, .. } if s == step),
        )?;
        Some(Late {
            load: load.clone(),
            planned: *at,
            injected: injected.saturating_sub(began),
        })
    }

    /// By how much it came later than planned, where that is worth a word.
    pub fn by(&self) -> Option<Micros> {
        let late = self.injected.saturating_sub(self.planned);
        (late > SAID_MIN).then_some(late)
    }

    /// `2.20 s after the first request of “siege”`, with `, 200.0 ms later than planned` where it was late.
    pub fn told(&self) -> String {
        let late = self.by().map(|by| format!(", {by} later than planned"));
        format!(
            "{} after the first request of “{}”{}",
            self.injected,
            self.load,
            late.unwrap_or_default()
        )
    }
}

fn seen(timeline: &Timeline, is: impl Fn(&Fact) -> bool) -> Option<Micros> {
    timeline.all().iter().find(|o| is(&o.fact)).map(|o| o.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(injected: u64) -> String {
        let late = Late {
            load: "siege".into(),
            planned: Micros::from_secs(2),
            injected: Micros::from_millis(injected),
        };
        late.told()
    }

    #[test]
    fn what_comes_later_than_planned_says_by_how_much() {
        assert_eq!(told(2001), "2.00 s after the first request of “siege”");
        assert_eq!(
            told(2350),
            "2.35 s after the first request of “siege”, 350.0 ms later than planned"
        );
    }
}
