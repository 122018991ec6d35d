//! The machine's time: where the canary, which answers at once, was slow or silent.
use crate::stretch::{Stretch, joined};
use model::{Fact, Micros, Timeline};

/// An answer of the canary that takes this long was delayed by the machine: on an idle one it takes a millisecond.
pub(crate) const SLOW_MIN: Micros = Micros::from_millis(20);

/// From one question to the next; what was slow at one was slow until the next.
const EVERY: Micros = Micros::from_millis(50);

/// Questions that are answered at once between slow ones are luck: no stretch of the machine's time ends before so long a time is good.
const GOOD_MIN: Micros = Micros::from_millis(250);

/// No question is answered later than this: its worker gives up.
const ANSWER_MAX: Micros = Micros::from_secs(3);

/// One question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ask {
    pub due: Micros,
    pub done: Micros,
    pub failed: bool,
}

impl Ask {
    pub fn took(&self) -> Micros {
        self.done.saturating_sub(self.due)
    }

    fn is_bad(&self) -> bool {
        self.failed || self.took() >= SLOW_MIN
    }
}

/// All questions of the worker of a load, by when they were due.
#[derive(Debug, Default)]
pub(crate) struct Canary {
    pub asks: Vec<Ask>,
}

/// How the canary fared in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Fared {
    /// The longest it took.
    pub delay: Micros,
    /// It did not answer, or not well.
    pub failed: bool,
}

impl Canary {
    pub fn of(step: &str, timeline: &Timeline) -> Canary {
        let asks = timeline.all().iter().filter_map(|o| match &o.fact {
            Fact::Canary(ask) if ask.step == step => Some(Ask {
                due: o.at,
                done: ask.done,
                failed: ask.failed.is_some(),
            }),
            _ => None,
        });
        Canary {
            asks: asks.collect(),
        }
    }

    /// How it fared while something else went on, the nearest questions before and after included.
    pub fn during(&self, (from, to): Stretch) -> Fared {
        let first = from.saturating_sub(ANSWER_MAX);
        let first = self.asks.partition_point(|ask| ask.due < first);
        let mut fared = Fared::default();
        let asks = self.asks[first..].iter();
        for ask in asks.take_while(|ask| ask.due <= to + EVERY) {
            if ask.done + EVERY >= from {
                fared.delay = fared.delay.max(ask.took());
                fared.failed |= ask.failed;
            }
        }
        fared
    }

    /// The machine's time.
    pub fn slow(&self) -> Vec<Stretch> {
        let bad = self.asks.iter().filter(|ask| ask.is_bad());
        let mut stretches = bad
            .map(|ask| (ask.due.saturating_sub(EVERY), ask.done))
            .collect();
        joined(&mut stretches, GOOD_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::CanaryAsk;

    /// Asked every 50 ms from 2 s to 3 s; those due in these milliseconds took so long.
    fn asked(slow: std::ops::Range<u64>, took: u64) -> Canary {
        let story = (2000..3000).step_by(50).fold(Story::rollout(), |s, due| {
            let took = if slow.contains(&due) { took } else { 1 };
            let ask = CanaryAsk {
                step: "siege".into(),
                sent: ms(due),
                done: ms(due + took),
                failed: (took > 2000).then(|| "timeout".into()),
            };
            s.with(ms(due), Fact::Canary(ask))
        });
        Canary::of("siege", &story.timeline())
    }

    #[test]
    fn a_canary_that_answers_at_once_leaves_all_time_to_the_system() {
        let canary = asked(0..0, 0);
        assert_eq!(canary.asks.len(), 20);
        assert_eq!(canary.slow(), []);
        let fared = canary.during((ms(2100), ms(2400)));
        assert_eq!((fared.delay, fared.failed), (ms(1), false));
    }

    #[test]
    fn a_slow_one_is_the_machine_s_from_the_last_quick_answer_on() {
        let canary = asked(2300..2400, 120);
        assert_eq!(canary.slow(), [(ms(2250), ms(2470))]);
        assert_eq!(canary.during((ms(2460), ms(2461))).delay, ms(120));
        assert_eq!(canary.during((ms(2600), ms(2700))).delay, ms(1));
    }

    #[test]
    fn a_silent_one_is_said_to_have_failed() {
        let fared = asked(2300..2350, 2500).during((ms(2500), ms(2510)));
        assert_eq!((fared.delay, fared.failed), (ms(2500), true));
    }
}
