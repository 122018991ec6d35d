//! calculate — from what pods use to how many there should be, one metric at a time (`semantics.md` 5.2).

use std::{collections::BTreeMap, time::Duration};

use apiserver::quantity;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodCondition};
use kube::ResourceExt;

use crate::pods;

/// No change for a ratio this close to 1.
const TOLERANCE: f64 = 0.1;
/// So long after its start a pod's CPU is doubted: starting is work, too.
const CPU_INITIALIZATION: Duration = Duration::from_secs(300);
/// A pod that became unready so soon after its start has never been ready.
const INITIAL_READINESS: Duration = Duration::from_secs(30);

/// What is measured and at what it aims.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Goal<'a> {
    pub resource: &'a str,
    /// Only this container of each pod.
    pub container: Option<&'a str>,
    pub target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// Percent of what the containers request.
    Percent(i32),
    /// Thousandths for each pod.
    Average(i64),
}

/// What one pod uses: by container, by resource, in thousandths.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodUse {
    pub pod: String,
    pub at: Timestamp,
    pub window: Duration,
    pub containers: Vec<(String, BTreeMap<String, i64>)>,
}

impl PodUse {
    fn of(&self, goal: Goal) -> Option<i64> {
        let mut wanted = self
            .containers
            .iter()
            .filter(|(name, _)| goal.container.is_none_or(|only| only == name))
            .peekable();
        wanted.peek()?;
        wanted.map(|(_, used)| used.get(goal.resource)).sum()
    }
}

/// The size that one metric asks for, and what it measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Proposal {
    pub replicas: i32,
    pub percent: Option<i32>,
    /// Thousandths for each pod counted.
    pub average: i64,
}

/// What to do with a pod's measurement.
enum Group {
    Counted(i64),
    /// Too young to be believed.
    Unready,
    /// Not measured.
    Missing,
    /// On its way out.
    Ignored,
}

/// The size that `goal` asks for. The error says what is missing, as Kubernetes words it.
pub(super) fn propose(
    goal: Goal,
    pods: &[Pod],
    used: &[PodUse],
    current: i32,
    now: Timestamp,
) -> Result<Proposal, String> {
    if used.is_empty() {
        return Err(format!(
            "unable to get metrics for resource {}: no metrics returned from resource metrics API",
            goal.resource
        ));
    }
    if pods.is_empty() {
        return Err("no pods returned by selector while calculating replica count".into());
    }
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    let (mut unready, mut missing) = (vec![], vec![]);
    for pod in pods {
        let name = pod.name_any();
        match group(pod, goal, used, now) {
            Group::Counted(value) => drop(counted.insert(name, value)),
            Group::Unready => unready.push(name),
            Group::Missing => missing.push(name),
            Group::Ignored => {}
        }
    }
    if counted.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".into());
    }
    let scale = Scale::new(goal, pods)?;
    let (ratio, percent, average) = scale.ratio(&counted)?;
    let proposal = |replicas| Proposal {
        replicas,
        percent,
        average,
    };
    let up_with_unready = !unready.is_empty() && ratio > 1.0;
    if !up_with_unready && missing.is_empty() {
        return Ok(proposal(match is_tolerable(ratio) {
            true => current,
            false => size(ratio, counted.len()),
        }));
    }
    // Nothing is known of the others: assume what speaks against a change.
    for name in missing {
        if ratio < 1.0 {
            counted.insert(name.clone(), scale.idle_fallback(&name));
        } else if ratio > 1.0 {
            counted.insert(name, 0);
        }
    }
    if up_with_unready {
        counted.extend(unready.into_iter().map(|name| (name, 0)));
    }
    let (assumed, ..) = scale.ratio(&counted)?;
    let turns = (ratio < 1.0 && assumed > 1.0) || (ratio > 1.0 && assumed < 1.0);
    let wanted = size(assumed, counted.len());
    let contradicts = (assumed < 1.0 && wanted > current) || (assumed > 1.0 && wanted < current);
    Ok(proposal(
        match is_tolerable(assumed) || turns || contradicts {
            true => current,
            false => wanted,
        },
    ))
}

fn is_tolerable(ratio: f64) -> bool {
    (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio)
}

fn size(ratio: f64, pods: usize) -> i32 {
    // Saturates where there would be more pods than numbers.
    (ratio * pods as f64).ceil() as i32
}

fn group(pod: &Pod, goal: Goal, used: &[PodUse], now: Timestamp) -> Group {
    if pod.metadata.deletion_timestamp.is_some() || pods::phase(pod) == "Failed" {
        return Group::Ignored;
    }
    if pods::phase(pod) == "Pending" {
        return Group::Unready;
    }
    let name = pod.name_any();
    let sample = used.iter().find(|sample| sample.pod == name);
    let Some((sample, value)) = sample.and_then(|sample| Some((sample, sample.of(goal)?))) else {
        return Group::Missing;
    };
    match goal.resource == "cpu" && is_doubtful(pod, sample, now) {
        true => Group::Unready,
        false => Group::Counted(value),
    }
}

fn is_doubtful(pod: &Pod, sample: &PodUse, now: Timestamp) -> bool {
    let status = pod.status.as_ref();
    let started = status.and_then(|status| status.start_time.as_ref());
    let (Some(ready), Some(started)) = (ready(pod), started) else {
        return true;
    };
    let is_unready = ready.status == "False";
    let changed = ready.last_transition_time.as_ref().map(|time| time.0);
    let changed = changed.unwrap_or(Timestamp::UNIX_EPOCH);
    let after = |time: Timestamp, span: Duration| time.saturating_add(span).unwrap_or(now);
    if after(started.0, CPU_INITIALIZATION) > now {
        // Less than a whole window since it became ready: its start is still in the average.
        is_unready || sample.at < after(changed, sample.window)
    } else {
        is_unready && after(started.0, INITIAL_READINESS) > changed
    }
}

fn ready(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|one| one.type_ == "Ready")
}

/// What usage is held against.
enum Scale {
    /// Requests by pod, in thousandths, and the percentage wanted.
    Requests(BTreeMap<String, i64>, i32),
    /// Thousandths wanted for each pod.
    Average(i64),
}

impl Scale {
    /// A percentage needs requests of every container of every pod, those on their way out included.
    fn new(goal: Goal, pods: &[Pod]) -> Result<Scale, String> {
        let percent = match goal.target {
            Target::Average(wanted) => return Ok(Scale::Average(wanted)),
            Target::Percent(percent) => percent,
        };
        let requests = pods
            .iter()
            .map(|pod| Ok((pod.name_any(), request(pod, goal)?)));
        let requests: Result<_, String> = requests.collect();
        Ok(Scale::Requests(requests?, percent))
    }

    /// How far usage is from what is wanted, and the usage: percent of requests, and on average.
    fn ratio(&self, used: &BTreeMap<String, i64>) -> Result<(f64, Option<i32>, i64), String> {
        let total: i64 = used.values().sum();
        // There is at least one.
        let average = total / used.len() as i64;
        match self {
            Scale::Average(wanted) => Ok((average as f64 / *wanted as f64, None, average)),
            Scale::Requests(requests, wanted) => {
                let requested: i64 = used.keys().filter_map(|pod| requests.get(pod)).sum();
                if requested == 0 {
                    return Err("no metrics returned matched known pods".into());
                }
                let percent = i32::try_from(total * 100 / requested).unwrap_or(i32::MAX);
                let ratio = f64::from(percent) / f64::from(*wanted);
                Ok((ratio, Some(percent), average))
            }
        }
    }

    /// What a pod that was not measured is taken to use while the others say that there are too many.
    fn idle_fallback(&self, pod: &str) -> i64 {
        match self {
            Scale::Average(wanted) => *wanted,
            Scale::Requests(requests, wanted) => {
                requests.get(pod).copied().unwrap_or(0) * i64::from((*wanted).max(100)) / 100
            }
        }
    }
}

fn request(pod: &Pod, goal: Goal) -> Result<i64, String> {
    let spec = pod.spec.clone().unwrap_or_default();
    let is_sidecar = |init: &Container| init.restart_policy.as_deref() == Some("Always");
    let init = spec.init_containers.unwrap_or_default();
    let all = spec
        .containers
        .iter()
        .chain(init.iter().filter(|init| is_sidecar(init)));
    let wanted = all.filter(|one| goal.container.is_none_or(|only| only == one.name));
    wanted
        .map(|one| {
            let requests = one.resources.as_ref().and_then(|r| r.requests.as_ref());
            let amount = requests.and_then(|requests| requests.get(goal.resource));
            let amount = amount.and_then(|amount| quantity::thousandths(&amount.0));
            amount
                .map(|amount| i64::try_from(amount).unwrap_or(i64::MAX))
                .ok_or_else(|| {
                    let (resource, container) = (goal.resource, &one.name);
                    let pod = pod.name_any();
                    format!("missing request for {resource} in container {container} of Pod {pod}")
                })
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: &str = "2026-01-01T01:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    const CPU: &str = "cpu";

    fn percent(target: i32) -> Goal<'static> {
        Goal {
            resource: CPU,
            container: None,
            target: Target::Percent(target),
        }
    }

    /// A pod that requests 100m and has been ready for long, changed by `more`.
    fn pod(name: &str, more: Value) -> Pod {
        let mut pod = json!({
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
            "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions":
                [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}]},
        });
        merge(&mut pod, more);
        serde_json::from_value(pod).unwrap()
    }

    fn merge(into: &mut Value, more: Value) {
        match (into, more) {
            (Value::Object(into), Value::Object(more)) => more
                .into_iter()
                .for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value)),
            (into, more) => *into = more,
        }
    }

    fn using(pod: &str, cpu: i64) -> PodUse {
        PodUse {
            pod: pod.into(),
            at: now(),
            window: Duration::from_secs(15),
            containers: vec![("c".into(), [(CPU.to_owned(), cpu)].into())],
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("p{n}")).collect()
    }

    /// `count` pods of which each uses so many percent of its 100m.
    fn all_use(count: usize, usage: i64) -> (Vec<Pod>, Vec<PodUse>) {
        let names = names(count);
        let pods = names.iter().map(|name| pod(name, json!({}))).collect();
        (pods, names.iter().map(|name| using(name, usage)).collect())
    }

    fn wanted(target: i32, pods: &[Pod], used: &[PodUse]) -> i32 {
        let current = i32::try_from(pods.len()).unwrap();
        propose(percent(target), pods, used, current, now())
            .unwrap()
            .replicas
    }

    #[test]
    fn hpa_1_the_size_is_usage_over_target_times_pods_rounded_up() {
        let table = [
            (1, 250, 5),
            (2, 55, 2),
            (2, 56, 3),
            (4, 45, 4),
            (4, 44, 4),
            (4, 30, 3),
            (3, 0, 0),
        ];
        for (count, usage, expected) in table {
            let (pods, used) = all_use(count, usage);
            assert_eq!(wanted(50, &pods, &used), expected, "{count} at {usage} %");
        }
    }

    #[test]
    fn hpa_2_the_percentage_is_cut_off_before_the_ratio_is_taken() {
        let pods = [pod("a", json!({})), pod("b", json!({}))];
        // 55.5 % of the requests: 55 % is within the tolerance of 50 %.
        let used = [using("a", 55), using("b", 56)];
        let proposal = propose(percent(50), &pods, &used, 2, now()).unwrap();
        assert_eq!(
            (proposal.replicas, proposal.percent, proposal.average),
            (2, Some(55), 55)
        );
    }

    #[test]
    fn hpa_3_4_one_container_without_a_request_is_enough_to_fail() {
        let side = json!({"spec": {"containers": [
            {"name": "c", "resources": {"requests": {"cpu": "100m"}}}, {"name": "side"}]}});
        let pods = [pod("a", json!({})), pod("b", side)];
        let used = [using("a", 500), using("b", 500)];
        assert_eq!(
            propose(percent(50), &pods, &used, 2, now()).unwrap_err(),
            "missing request for cpu in container side of Pod b"
        );
        let only = Goal {
            container: Some("c"),
            ..percent(50)
        };
        assert_eq!(propose(only, &pods, &used, 2, now()).unwrap().replicas, 20);
    }

    #[test]
    fn without_measurements_or_pods_there_is_no_size() {
        let (pods, used) = all_use(1, 10);
        let error =
            |pods: &[Pod], used: &[PodUse]| propose(percent(50), pods, used, 1, now()).unwrap_err();
        assert_eq!(
            error(&pods, &[]),
            "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
        );
        assert_eq!(
            error(&[], &used),
            "no pods returned by selector while calculating replica count"
        );
        let pending = [pod("p0", json!({"status": {"phase": "Pending"}}))];
        assert_eq!(
            error(&pending, &used),
            "did not receive metrics for targeted pods (pods might be unready)"
        );
    }

    fn young(name: &str, is_ready: &str, since: &str) -> Pod {
        pod(
            name,
            json!({"status": {"startTime": "2026-01-01T00:59:00Z", "conditions":
                [{"type": "Ready", "status": is_ready, "lastTransitionTime": since}]}}),
        )
    }

    #[test]
    fn hpa_11_an_unready_pod_counts_as_idle_on_the_way_up() {
        let mut pods = all_use(1, 0).0;
        pods.push(young("new", "False", "2026-01-01T00:59:00Z"));
        let used = [using("p0", 150), using("new", 900)];
        // Alone 3 would be asked for; with an idle second pod the 75 % of both ask for 3 of 50 %.
        assert_eq!(wanted(50, &pods, &used), 3);
        assert_eq!(wanted(75, &pods, &used), 2);
    }

    #[test]
    fn a_young_pod_counts_after_one_window_of_being_ready() {
        let used = [using("new", 200)];
        let ready = |since| [young("new", "True", since)];
        let just = ready("2026-01-01T00:59:46Z");
        assert!(propose(percent(50), &just, &used, 1, now()).is_err());
        assert_eq!(wanted(50, &ready("2026-01-01T00:59:45Z"), &used), 4);
    }

    #[test]
    fn an_old_pod_counts_unless_it_has_never_been_ready() {
        let unready = |since: &str| {
            [pod(
                "a",
                json!({"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": since}]}}),
            )]
        };
        let used = [using("a", 100)];
        assert_eq!(wanted(50, &unready("2026-01-01T00:30:00Z"), &used), 2);
        let never = unready("2026-01-01T00:00:29Z");
        assert!(propose(percent(50), &never, &used, 1, now()).is_err());
    }

    #[test]
    fn missing_pods_are_assumed_to_be_what_speaks_against_a_change() {
        let (pods, mut used) = all_use(4, 10);
        used.truncate(2);
        // 10 % of two; with 100 % of the other two there are 55 % of 50 %: no change.
        assert_eq!(wanted(50, &pods, &used), 4);
        used.iter_mut().for_each(|one| *one = using(&one.pod, 90));
        // 90 % of two and nothing of the others: 45 % of 50 %.
        assert_eq!(wanted(50, &pods, &used), 4);
        assert_eq!(wanted(20, &pods, &used), 9);
    }

    #[test]
    fn pods_on_their_way_out_are_not_counted_but_need_requests() {
        let going = json!({"metadata": {"deletionTimestamp": NOW}});
        let (mut pods, mut used) = all_use(2, 100);
        pods.push(pod("going", going));
        used.push(using("going", 900));
        assert_eq!(wanted(50, &pods, &used), 4);
    }

    #[test]
    fn an_average_is_not_about_requests() {
        let goal = Goal {
            target: Target::Average(50),
            ..percent(0)
        };
        let (mut pods, used) = all_use(2, 100);
        pods[0].spec.as_mut().unwrap().containers[0].resources = None;
        let proposal = propose(goal, &pods, &used, 2, now()).unwrap();
        assert_eq!(
            (proposal.replicas, proposal.percent, proposal.average),
            (4, None, 100)
        );
    }
}
