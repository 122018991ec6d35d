//! Writes the timeline as it happens: one line a fact, on disk within a tenth of a second.
use crate::{Progress, TIMELINE_FILE, clock::RunClock};
use model::{Fact, Observation, Timeline};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

/// A timeline that is killed loses at most this much of its end.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// Takes facts from everywhere in a run. Clones write the same timeline.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// The clock all of them are stamped with.
    pub clock: RunClock,
    lines: mpsc::UnboundedSender<Observation>,
}

impl Recorder {
    /// Writes down what is so now.
    pub fn note(&self, fact: Fact) {
        self.put(Observation {
            at: self.clock.now(),
            fact,
        });
    }

    /// Writes down what was so at its own time.
    pub fn put(&self, observation: Observation) {
        // The writer only ends after the last recorder, or on a full disk, which ends the run.
        let _ = self.lines.send(observation);
    }
}

/// The file being written.
pub struct Writing {
    task: JoinHandle<io::Result<Timeline>>,
    is_broken: watch::Receiver<bool>,
}

impl Writing {
    /// Begins the timeline in a run's folder.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn begin(
        dir: &Path,
        clock: RunClock,
        progress: watch::Sender<Progress>,
    ) -> io::Result<(Recorder, Writing)> {
        let file = File::create(dir.join(TIMELINE_FILE))?;
        Ok(Writing::to(file, clock, progress))
    }

    fn to<F: Lasting>(
        file: F,
        clock: RunClock,
        progress: watch::Sender<Progress>,
    ) -> (Recorder, Writing) {
        let (lines, seen) = mpsc::unbounded_channel();
        let broken = watch::Sender::new(false);
        let is_broken = broken.subscribe();
        let task = tokio::spawn(async move {
            let written = write(BufWriter::new(file), seen, progress).await;
            broken.send_replace(written.is_err());
            written
        });
        (Recorder { clock, lines }, Writing { task, is_broken })
    }

    /// Waits until something could not be written. What is seen from then on is lost, so a run must not go on.
    pub fn broken(&self) -> impl Future<Output = ()> + use<> {
        let mut is_broken = self.is_broken.clone();
        async move {
            if is_broken.wait_for(|broken| *broken).await.is_err() {
                // It came to its end in order.
                std::future::pending().await
            }
        }
    }

    /// Waits until every recorder is gone and everything is written.
    ///
    /// # Errors
    /// When something could not be written.
    pub async fn finish(self) -> io::Result<Timeline> {
        self.task.await.map_err(io::Error::other)?
    }
}

/// Where a timeline goes.
trait Lasting: Write + Send + 'static {
    /// What was written survives the machine.
    fn keep(&mut self) -> io::Result<()>;
}

impl Lasting for File {
    fn keep(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

async fn write<F: Lasting>(
    mut file: BufWriter<F>,
    mut seen: mpsc::UnboundedReceiver<Observation>,
    progress: watch::Sender<Progress>,
) -> io::Result<Timeline> {
    let mut all = vec![];
    let mut batch = vec![];
    let mut flush = tokio::time::interval_at(Instant::now() + FLUSH_EVERY, FLUSH_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            count = seen.recv_many(&mut batch, 1024) => {
                if count == 0 {
                    break;
                }
                for observation in &batch {
                    serde_json::to_writer(&mut file, observation)?;
                    file.write_all(b"\n")?;
                }
                progress.send_modify(|p| batch.iter().for_each(|o| p.see(o)));
                all.append(&mut batch);
            }
            _ = flush.tick() => file.flush()?,
        }
    }
    file.into_inner()?.keep()?;
    Ok(Timeline::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::observation::Phase;

    /// A disk with room for so many bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.checked_sub(bytes.len()) {
                Some(room) => self.0 = room,
                None => return Err(io::ErrorKind::StorageFull.into()),
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lasting for Disk {
        fn keep(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_is_heard_of_while_the_run_goes_on() {
        let progress = watch::Sender::new(Progress::default());
        let (recorder, writing) = Writing::to(Disk(100), RunClock::start(), progress);
        let note = || {
            recorder.note(Fact::Phase {
                phase: Phase::Running,
            });
        };
        note();
        let soon = Duration::from_secs(1);
        let heard = tokio::time::timeout(soon, writing.broken()).await;
        assert!(heard.is_err(), "one line has room");
        (0..9).for_each(|_| note());
        let heard = tokio::time::timeout(soon, writing.broken()).await;
        assert!(heard.is_ok());
        let refused = writing.finish().await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    }

    #[tokio::test]
    async fn what_is_noted_is_on_disk_and_in_the_timeline() {
        let dir = tempfile::tempdir().unwrap();
        let progress = watch::Sender::new(Progress::default());
        let (recorder, writing) =
            Writing::begin(dir.path(), RunClock::start(), progress.clone()).unwrap();
        recorder.note(Fact::Phase {
            phase: Phase::Running,
        });
        drop(recorder);
        let timeline = writing.finish().await.unwrap();
        let text = std::fs::read_to_string(dir.path().join(TIMELINE_FILE)).unwrap();
        assert_eq!(Timeline::parse(&text).unwrap(), timeline);
        assert_eq!(timeline.all().len(), 1);
        assert_eq!(progress.borrow().phase, Some(Phase::Running));
    }
}
