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
        // The writer only ends after the last recorder, or on a full disk, which the run then reports.
        let _ = self.lines.send(observation);
    }
}

/// The file being written.
pub struct Writing {
    task: JoinHandle<io::Result<Timeline>>,
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
        let file = BufWriter::new(File::create(dir.join(TIMELINE_FILE))?);
        let (lines, seen) = mpsc::unbounded_channel();
        let task = tokio::spawn(write(file, seen, progress));
        Ok((Recorder { clock, lines }, Writing { task }))
    }

    /// Waits until every recorder is gone and everything is written.
    ///
    /// # Errors
    /// When something could not be written.
    pub async fn finish(self) -> io::Result<Timeline> {
        self.task.await.map_err(io::Error::other)?
    }
}

async fn write(
    mut file: BufWriter<File>,
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
    file.into_inner()?.sync_all()?;
    Ok(Timeline::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::observation::Phase;

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
