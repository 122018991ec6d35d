//! Other work on the machine: threads that do nothing but use a processor.
use std::{
    hint::black_box,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// For each processor.
const LOOPS: usize = 2;

/// A test that forgets it does not leave it to the machine.
const LIMIT: Duration = Duration::from_secs(1200);

/// Uses every processor twice until it is dropped.
pub struct Busy {
    goes_on: Arc<AtomicBool>,
    loops: Vec<JoinHandle<()>>,
}

impl Busy {
    pub fn begin() -> Busy {
        let goes_on = Arc::new(AtomicBool::new(true));
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let loops = (0..LOOPS * processors).map(|_| {
            let goes_on = goes_on.clone();
            thread::spawn(move || turn(&goes_on))
        });
        Busy {
            loops: loops.collect(),
            goes_on,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.goes_on.store(false, Ordering::Relaxed);
        for each in self.loops.drain(..) {
            // A loop cannot panic.
            let _ = each.join();
        }
    }
}

fn turn(goes_on: &AtomicBool) {
    let end = Instant::now() + LIMIT;
    while goes_on.load(Ordering::Relaxed) && Instant::now() < end {
        for n in 0..100_000_u32 {
            black_box(n);
        }
    }
}

/// Beside other work where the variable asks for it.
pub fn if_asked_for() -> Option<Busy> {
    std::env::var_os("BROWNOUT_BUSY").map(|_| Busy::begin())
}
