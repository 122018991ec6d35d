//! `kill -9` of a container, proven by the end of that very container: it ran until we said so, and its exit code is that of the
//! signal. A container that ends by itself, is out of memory or is started anew meanwhile proves nothing.
use super::{
    Blows,
    strike::{ASK_EVERY, NOT_STARTED, PROGRAM, refusal},
};
use crate::grip;
use cluster::{Container, Ended};
use model::{Micros, PodState};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A program that can be started in a container says its first word within this time.
const FIRST_WORD_MAX: Duration = Duration::from_secs(10);

/// A process that may be killed is dead long before; one that may not says so at once.
const REFUSAL_MAX: Duration = Duration::from_secs(1);

/// A node tells of the end of a container within a second or two. What ends later ended of something else.
const SEEN_MAX: Duration = Duration::from_secs(10);

/// Of a process that a `SIGKILL` ended: 128 and the signal's number.
const KILLED: i32 = 137;

/// Of a process that the kernel killed to have its memory.
const OUT_OF_MEMORY: &str = "OOMKilled";

impl Blows {
    /// Kills the container that runs now; `is_struck` hears when that is done. What proves it.
    pub(super) async fn kill(
        &self,
        pod: &PodState,
        container: Option<&str>,
        is_struck: impl Fn(),
    ) -> Result<String, String> {
        let words = [PROGRAM, grip::WORD, "kill"];
        let inside = self
            .cluster
            .start_inside(&self.namespace, &pod.name, container, &words);
        let mut inside = inside.await.map_err(|e| e.to_string())?;
        let first = timeout(FIRST_WORD_MAX, inside.line()).await.ok().flatten();
        begun(first)?;
        let before = self.container(pod, container).await?;
        let before = before.filter(|c| !c.running.is_empty());
        let before = before.ok_or("no container of it ran when it was to be killed")?;
        if !inside.say(grip::NOW).await {
            return Err(NOT_STARTED.into());
        }
        let told = Instant::now();
        // What comes now is a refusal, or nothing any more.
        let next = timeout(REFUSAL_MAX, inside.line()).await.ok().flatten();
        if let Some(why) = next.and_then(|line| refusal(Some(line))) {
            return Err(why);
        }
        is_struck();
        let seen = timeout(SEEN_MAX, self.until_ended(pod, &before)).await;
        let ended = seen.map_err(|_| {
            let waited = Micros::from(SEEN_MAX);
            format!("its container was told to end and still ran {waited} later")
        })??;
        Ok(format!(
            "container {} ({}) of {} ended with exit code {}, seen {} after it was killed",
            before.name,
            short(&before.running),
            pod.name,
            ended.exit_code,
            Micros::from(told.elapsed())
        ))
    }

    async fn container(
        &self,
        pod: &PodState,
        container: Option<&str>,
    ) -> Result<Option<Container>, String> {
        let seen = self.cluster.container(&self.namespace, pod, container);
        seen.await.map_err(|e| e.to_string())
    }

    async fn until_ended(&self, pod: &PodState, before: &Container) -> Result<Ended, String> {
        loop {
            let now = self.container(pod, Some(&before.name)).await;
            // An API server that does not answer is asked again.
            if let Ok(now) = now
                && let Some(judged) = judge(&before.running, now.as_ref())
            {
                return judged;
            }
            sleep(ASK_EVERY).await;
        }
    }
}

/// Whether the program inside is ready to kill: another of that name says something else.
fn begun(first: Option<String>) -> Result<(), String> {
    match first {
        Some(line) if line.starts_with("killing ") => Ok(()),
        other => Err(refusal(other).unwrap_or_else(|| NOT_STARTED.into())),
    }
}

/// Whether the container with this id has ended, and of our kill; none while it runs.
fn judge(id: &str, now: Option<&Container>) -> Option<Result<Ended, String>> {
    let Some(now) = now else {
        return Some(Err(
            "its pod was gone before its container was seen to end".into()
        ));
    };
    let ended = now.ended.as_ref().filter(|ended| ended.id == id);
    match ended {
        Some(ended) if ended.exit_code != KILLED || ended.reason == OUT_OF_MEMORY => {
            Some(Err(format!(
                "its container ended of something else: exit code {} ({})",
                ended.exit_code, ended.reason
            )))
        }
        Some(ended) => Some(Ok(ended.clone())),
        None if now.running == id || now.running.is_empty() => None,
        None => Some(Err(
            "another container ran in its place, and how it ended was not seen".into(),
        )),
    }
}

/// Enough to find it in a log. The embedded cluster's ids end with the container's name and number.
fn short(id: &str) -> &str {
    let digits = id.rsplit_once("://").map_or(id, |(_, digits)| digits);
    match digits.split_once('/') {
        Some((_, number)) => number,
        None => digits.get(..12).unwrap_or(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(running: &str, ended: Option<(&str, i32, &str)>) -> Container {
        Container {
            name: "room".into(),
            running: running.into(),
            ended: ended.map(|(id, exit_code, reason)| Ended {
                id: id.into(),
                exit_code,
                reason: reason.into(),
            }),
        }
    }

    fn judged(running: &str, ended: Option<(&str, i32, &str)>) -> Option<Result<i32, String>> {
        let now = container(running, ended);
        judge("x://a", Some(&now)).map(|judged| judged.map(|ended| ended.exit_code))
    }

    #[test]
    fn a_kill_is_proven_by_the_end_of_that_very_container_by_the_signal() {
        assert_eq!(
            judged("x://b", Some(("x://a", 137, "Error"))),
            Some(Ok(137))
        );
        assert_eq!(judged("", Some(("x://a", 137, "Error"))), Some(Ok(137)));
        assert_eq!(judged("x://a", None), None);
        // An earlier one ended so.
        assert_eq!(judged("x://a", Some(("x://0", 137, "Error"))), None);
    }

    #[test]
    fn what_ended_by_itself_or_was_never_seen_to_end_proves_nothing() {
        let why = |running, ended| judged(running, ended).unwrap().unwrap_err();
        assert_eq!(
            why("x://b", Some(("x://a", 1, "Error"))),
            "its container ended of something else: exit code 1 (Error)"
        );
        assert_eq!(
            why("x://b", Some(("x://a", 137, "OOMKilled"))),
            "its container ended of something else: exit code 137 (OOMKilled)"
        );
        assert_eq!(
            why("x://c", Some(("x://b", 1, "Error"))),
            "another container ran in its place, and how it ended was not seen"
        );
        assert!(judge("x://a", None).unwrap().is_err());
    }

    #[test]
    fn a_kill_begins_when_the_program_inside_says_so_and_not_when_another_speaks() {
        let begun = |line: &str| begun(Some(line.into()));
        assert_eq!(begun("killing process 1"), Ok(()));
        assert_eq!(
            begun("refused it is not allowed").unwrap_err(),
            "it is not allowed"
        );
        assert_eq!(begun("sh: brownout: not found").unwrap_err(), NOT_STARTED);
        assert_eq!(super::begun(None).unwrap_err(), NOT_STARTED);
    }

    #[test]
    fn an_id_is_shortened_to_what_finds_it_in_a_log() {
        assert_eq!(short("containerd://0123456789abcdef"), "0123456789ab");
        assert_eq!(short("embedded://5f2c-11ee/room/3"), "room/3");
    }
}
