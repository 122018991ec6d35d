//! The last words of containers that ended badly: the end of their logs, read while there is one.
use crate::recorder::Recorder;
use cluster::Cluster;
use load::wire;
use model::{ContainerState, Fact};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

/// So many ends of one container are asked for: the next ones say the same.
const OF_ONE_MAX: u32 = 2;
/// So many in one run.
const OF_ALL_MAX: u32 = 24;
/// So many lines are read, of which some may be a load worker's own count.
const READ_MAX: i64 = 20;
/// So many lines are kept, the last ones.
const LINES_MAX: usize = 4;
/// So many characters of a line are kept.
const LINE_MAX: usize = 200;
/// A cluster that does not answer by then has no words for us.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Reads last words as ends of containers are told.
pub(crate) struct LastWords {
    cluster: Cluster,
    namespace: String,
    recorder: Recorder,
    asked: Asked,
}

/// Which ends were asked for already.
#[derive(Debug, Default)]
struct Asked {
    ends: BTreeMap<(String, String), Vec<String>>,
    all: u32,
}

impl Asked {
    /// Whether this end is a new one that is worth a look.
    fn is_wanted(&mut self, c: &ContainerState) -> bool {
        let Some(ended) = &c.ended else { return false };
        let loops = c.waiting.as_ref();
        let loops = loops.is_some_and(|w| w.word == "CrashLoopBackOff");
        if c.terminating || ended.reason == "OOMKilled" || (ended.code == 0 && !loops) {
            return false;
        }
        let key = (c.pod.clone(), c.container.clone());
        let end = format!("{} {} {}", ended.since, ended.until, ended.code);
        let known = self.ends.entry(key).or_default();
        let is_new =
            !known.contains(&end) && known.len() < OF_ONE_MAX as usize && self.all < OF_ALL_MAX;
        if is_new {
            known.push(end);
            self.all += 1;
        }
        is_new
    }
}

impl LastWords {
    pub fn new(cluster: Cluster, namespace: &str, recorder: Recorder) -> LastWords {
        LastWords {
            cluster,
            namespace: namespace.into(),
            recorder,
            asked: Asked::default(),
        }
    }

    /// Takes note of a fact; when it tells of an end, its last words are read meanwhile.
    pub fn heed(&mut self, fact: &Fact) {
        let Fact::Container(container) = fact else {
            return;
        };
        if self.asked.is_wanted(container) {
            let (cluster, namespace) = (self.cluster.clone(), self.namespace.clone());
            let (recorder, container) = (self.recorder.clone(), container.clone());
            tokio::spawn(async move {
                let read = read(&cluster, &namespace, &container);
                // What cannot be read any more is not missed: the end itself is on the timeline.
                if let Ok(Some(lines)) = timeout(ANSWER_MAX, read).await {
                    recorder.note(Fact::LastWords {
                        pod: container.pod,
                        container: container.container,
                        lines,
                    });
                }
            });
        }
    }
}

/// The log of the start that ended is the newest, or the one before where it was started again meanwhile.
async fn read(cluster: &Cluster, namespace: &str, c: &ContainerState) -> Option<Vec<String>> {
    let runs_again = c.restarts > 0 && c.waiting.is_none();
    for previous in [runs_again, !runs_again] {
        let log = cluster.last_words(namespace, &c.pod, &c.container, previous, READ_MAX);
        let lines = log.await.map(|log| kept(&log)).unwrap_or_default();
        if !lines.is_empty() {
            return Some(lines);
        }
    }
    None
}

/// The last lines that are no worker's count, each as far as it is worth reading.
fn kept(log: &str) -> Vec<String> {
    let lines = log.lines().map(str::trim_end);
    let mut lines: Vec<String> = lines
        .filter(|line| !line.is_empty() && wire::parse(line).is_err())
        .map(|line| line.chars().filter(|c| !c.is_control()).take(LINE_MAX))
        .map(Iterator::collect)
        .collect();
    lines.split_off(lines.len().saturating_sub(LINES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Ended;

    #[test]
    fn the_last_lines_are_kept_without_a_workers_counts_and_without_escapes() {
        let log = "1\n2\n3\n\n{\"b\":{\"w\":7}}\n\u{1b}[31m4\n5\n";
        assert_eq!(kept(log), ["2", "3", "[31m4", "5"]);
        assert_eq!(kept(&"x".repeat(900))[0].len(), LINE_MAX);
        assert_eq!(kept(""), [""; 0]);
    }

    #[test]
    fn each_bad_end_is_asked_for_once_and_not_too_often() {
        let end = |code, reason: &str, until: &str| ContainerState {
            pod: "shop-1".into(),
            container: "shop".into(),
            ended: Some(Ended {
                code,
                reason: reason.into(),
                until: until.into(),
                ..Ended::default()
            }),
            ..ContainerState::default()
        };
        let mut asked = Asked::default();
        assert!(!asked.is_wanted(&ContainerState::default()));
        assert!(!asked.is_wanted(&end(0, "Completed", "1")));
        assert!(!asked.is_wanted(&end(137, "OOMKilled", "1")));
        assert!(asked.is_wanted(&end(1, "Error", "1")));
        assert!(!asked.is_wanted(&end(1, "Error", "1")));
        assert!(asked.is_wanted(&end(1, "Error", "2")));
        assert!(!asked.is_wanted(&end(1, "Error", "3")));
        let mut other = end(1, "Error", "1");
        other.pod = "shop-2".into();
        assert!(asked.is_wanted(&other));
        other.terminating = true;
        other.pod = "shop-3".into();
        assert!(!asked.is_wanted(&other));
    }
}
