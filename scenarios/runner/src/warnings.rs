//! warnings — what programs that go on have warned of in their logs, read before everything is taken away.
use crate::steps::Stage;
use model::{Fact, Observation};
use std::time::Duration;
use tokio::time::timeout;

/// Pods with this label are read.
const LABEL: &str = "brownout.dev/warnings=log";
/// Lines of a log that are read, the last ones.
const READ_MAX: i64 = 2000;
/// Lines of a pod that are kept, the first ones: later ones repeat them.
const KEPT_MAX: usize = 20;
/// Characters of a line that are kept.
const LINE_MAX: usize = 300;
/// A cluster that does not answer by then has no warnings for us.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// What marks a line.
const WORDS: [&str; 2] = ["WARN ", "ERROR "];

/// Puts the warnings of labelled pods on the timeline, each when it was written.
pub(crate) async fn read(stage: &Stage) {
    let found = timeout(ANSWER_MAX, logs(stage)).await.unwrap_or_default();
    for (pod, log) in found {
        for (wall_us, line) in log.lines().filter_map(warning).take(KEPT_MAX) {
            let at = stage.recorder.clock.of_wall(wall_us);
            let pod = pod.clone();
            let fact = Fact::Warned { pod, line };
            stage.recorder.put(Observation { at, fact });
        }
    }
}

/// The logs that can be read; one that cannot has no warnings.
async fn logs(stage: &Stage) -> Vec<(String, String)> {
    let (cluster, namespace) = (&stage.cluster, &stage.namespace);
    let pods = cluster.pod_names(namespace, LABEL).await;
    let mut logs = vec![];
    for pod in pods.unwrap_or_default() {
        if let Ok(log) = cluster.dated_log(namespace, &pod, READ_MAX).await {
            logs.push((pod, log));
        }
    }
    logs
}

/// When a line was written, in microseconds since the epoch, and what it warns of.
fn warning(line: &str) -> Option<(u64, String)> {
    let (at, text) = line.split_once(' ')?;
    let at: jiff::Timestamp = at.parse().ok()?;
    let begins = WORDS.iter().filter_map(|word| text.find(word)).min()?;
    let text = text.get(begins..)?.trim_end();
    let text = text.chars().filter(|c| !c.is_control()).take(LINE_MAX);
    Some((u64::try_from(at.as_microsecond()).ok()?, text.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_a_line_with_its_time_from_its_word_on() {
        let line = "1970-01-01T00:00:02.5Z 2026-12-01T10:00:00Z  WARN broker: refused\u{1b}";
        assert_eq!(
            warning(line),
            Some((2_500_000, "WARN broker: refused".into()))
        );
        assert_eq!(warning("1970-01-01T00:00:02Z INFO listening"), None);
        assert_eq!(warning("soon WARN broker: refused"), None);
        assert_eq!(warning(""), None);
    }
}
