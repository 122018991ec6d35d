//! A heartbeat: a thread that does nothing but wake up every few milliseconds and write down when it did not. Whatever kept it from
//! that, a stop, a busy machine, a pause of the virtual machine, kept the rest of the process from working as well.
//!
//! Every tenth of a second it also asks the kernel how long tasks had to wait for a processor.
use crate::pressure::Gauge;
use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// From one beat to the next.
pub const BEAT: Duration = Duration::from_millis(5);

/// A beat that comes later than this is missing. Timers of an idle machine are late by a tenth of a millisecond.
const LATE_MIN: Duration = Duration::from_millis(5);

/// From one look at the machine to the next.
const LOOK: Duration = Duration::from_millis(100);

/// A machine in which tasks waited for less than this share of the time is not worth a line.
pub const WAITING_MIN: f64 = 0.2;

/// What is told of a process and its machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    /// No heartbeat came although it was due.
    Stalled {
        /// When it was due.
        from: Instant,
        /// When it came.
        until: Instant,
    },
    /// So the machine was used since the last look.
    Machine {
        /// When that was.
        from: Instant,
        /// Now.
        until: Instant,
        /// The share of the time in which at least one task waited for a processor, 0 to 1.
        waiting: f64,
        /// The share of the time in which this control group was not allowed to run, 0 to 1.
        throttled: f64,
    },
}

/// Beats until it is dropped; then nothing more is told.
pub struct Heartbeat {
    /// Dropped, the thread ends.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // What it told before it panicked, if it did, stays told.
            let _ = thread.join();
        }
    }
}

impl Heartbeat {
    /// Begins to beat; `tell` hears of what was missed, from the thread of the heart.
    pub fn begin(mut tell: impl FnMut(Told) + Send + 'static) -> Heartbeat {
        let (alive, ended) = channel();
        let thread = thread::spawn(move || {
            let mut heart = Heart::new(Instant::now());
            let mut gauge = Gauge::new();
            let mut looked = Instant::now();
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                if let Some(missed) = heart.beat(now) {
                    tell(missed);
                }
                let length = now - looked;
                if length >= LOOK {
                    if let Some((waiting, throttled)) = gauge.look(length) {
                        let from = looked;
                        tell(Told::Machine {
                            from,
                            until: now,
                            waiting,
                            throttled,
                        });
                    }
                    looked = now;
                }
            }
        });
        Heartbeat {
            alive: Some(alive),
            thread: Some(thread),
        }
    }
}

/// When the last beat came.
struct Heart {
    last: Instant,
}

impl Heart {
    fn new(now: Instant) -> Heart {
        Heart { last: now }
    }

    /// What was missed until this beat.
    fn beat(&mut self, now: Instant) -> Option<Told> {
        let from = self.last + BEAT;
        self.last = now;
        let late = now.saturating_duration_since(from);
        (late >= LATE_MIN).then_some(Told::Stalled { from, until: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_beat_that_is_late_tells_from_when_to_when_it_was_missing() {
        let start = Instant::now();
        let mut heart = Heart::new(start);
        assert_eq!(heart.beat(start + 5 * MS), None);
        assert_eq!(heart.beat(start + 14 * MS), None);
        let missed = Told::Stalled {
            from: start + 19 * MS,
            until: start + 2500 * MS,
        };
        assert_eq!(heart.beat(start + 2500 * MS), Some(missed));
        assert_eq!(heart.beat(start + 2505 * MS), None);
    }

    #[test]
    fn a_thread_that_was_kept_from_beating_says_so() {
        let (told, heard) = channel();
        let mut first = true;
        let _heart = Heartbeat::begin(move |what| {
            // The first look at the machine takes long: what comes after it was missed.
            if std::mem::take(&mut first) {
                thread::sleep(50 * MS);
            }
            let _ = told.send(what);
        });
        let missed = heard
            .iter()
            .any(|t| matches!(t, Told::Stalled { from, until } if until - from >= 40 * MS));
        assert!(missed);
    }
}
