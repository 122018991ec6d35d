//! size — from what metrics propose to the size that is set: stabilised, limited in speed, within bounds (`semantics.md` 5.3).

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};

/// Where nothing else is said, the highest proposal of this time counts.
const DOWN_STABILIZATION: Duration = Duration::from_secs(300);
/// Longest window that rules may name.
const WINDOW_MAX: Duration = Duration::from_secs(3600);

/// What an autoscaler remembers of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct History {
    proposals: Vec<(Timestamp, i32)>,
    /// How many pods were added, and taken away.
    ups: Vec<(Timestamp, i32)>,
    downs: Vec<(Timestamp, i32)>,
}

/// A condition in the making.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saying {
    pub status: bool,
    pub reason: &'static str,
    pub message: &'static str,
}

/// The size to set and what the conditions `AbleToScale` and `ScalingLimited` say of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sized {
    pub replicas: i32,
    pub able: Saying,
    pub limited: Saying,
}

/// Between which sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub min: i32,
    pub max: i32,
}

impl History {
    /// The size at the first evaluation counts as a proposal.
    pub fn begin(&mut self, current: i32, now: Timestamp) {
        if self.proposals.is_empty() {
            self.proposals.push((now, current));
        }
    }

    /// Notes that the size was changed.
    pub fn resized(&mut self, from: i32, to: i32, now: Timestamp) {
        let list = if to > from {
            &mut self.ups
        } else {
            &mut self.downs
        };
        list.retain(|(at, _)| *at > before(now, WINDOW_MAX));
        list.push((now, (to - from).abs()));
    }

    /// Notes a proposal and says which size follows from it.
    pub fn size(
        &mut self,
        behavior: Option<&HorizontalPodAutoscalerBehavior>,
        current: i32,
        proposed: i32,
        bounds: Bounds,
        now: Timestamp,
    ) -> Sized {
        let rules = behavior.map(|b| (b.scale_up.as_ref(), b.scale_down.as_ref()));
        let (stable, why) = match rules {
            None => (self.highest(proposed, now), "ScaleDownStabilized"),
            Some((up, down)) => (
                self.between(
                    current,
                    proposed,
                    window(up, Duration::ZERO),
                    window(down, DOWN_STABILIZATION),
                    now,
                ),
                if proposed >= current {
                    "ScaleUpStabilized"
                } else {
                    "ScaleDownStabilized"
                },
            ),
        };
        self.proposals
            .retain(|(at, _)| *at >= before(now, WINDOW_MAX));
        self.proposals.push((now, proposed));
        let (replicas, reason, message) = match rules {
            None => plain_limits(current, stable, bounds),
            Some((up, down)) => self.paced(current, stable, bounds, up, down, now),
        };
        Sized {
            replicas,
            able: able(stable != proposed, why),
            limited: Saying {
                status: replicas != stable,
                reason,
                message,
            },
        }
    }

    fn highest(&self, proposed: i32, now: Timestamp) -> i32 {
        let since = before(now, DOWN_STABILIZATION);
        let recent = self.proposals.iter().filter(|(at, _)| *at >= since);
        recent.map(|(_, size)| *size).fold(proposed, i32::max)
    }

    /// The present size, or the nearest one between the lowest and the highest recent proposal.
    fn between(
        &self,
        current: i32,
        proposed: i32,
        up: Duration,
        down: Duration,
        now: Timestamp,
    ) -> i32 {
        let within = |window| {
            let since = before(now, window);
            let recent = self.proposals.iter().filter(move |(at, _)| *at > since);
            recent.map(|(_, size)| *size)
        };
        let least = within(up).fold(proposed, i32::min);
        let most = within(down).fold(proposed, i32::max);
        current.max(least).min(most)
    }

    fn paced(
        &self,
        current: i32,
        wanted: i32,
        bounds: Bounds,
        up: Option<&HPAScalingRules>,
        down: Option<&HPAScalingRules>,
        now: Timestamp,
    ) -> (i32, &'static str, &'static str) {
        if wanted > current {
            let limit = self.up_limit(current, up, now).max(current);
            let (most, why) = if bounds.max > limit {
                (limit, TOO_FAST_UP)
            } else {
                (bounds.max, TOO_MANY)
            };
            if wanted > most {
                return (most, why.0, why.1);
            }
        } else if wanted < current {
            let limit = self.down_limit(current, down, now).min(current);
            let (least, why) = if bounds.min < limit {
                (limit, TOO_FAST_DOWN)
            } else {
                (bounds.min, TOO_FEW)
            };
            if wanted < least {
                return (least, why.0, why.1);
            }
        }
        (wanted, WITHIN.0, WITHIN.1)
    }

    fn up_limit(&self, current: i32, rules: Option<&HPAScalingRules>, now: Timestamp) -> i32 {
        let grown = |start: i32, percent: i32| {
            (f64::from(start) * (1.0 + f64::from(percent) / 100.0)).ceil() as i32
        };
        let limits = self.limits(current, rules, now, |start, kind, value| match kind {
            "Percent" => grown(start, value),
            _ => start.saturating_add(value),
        });
        match choice(rules) {
            "Disabled" => current,
            "Min" => limits.min().unwrap_or(current),
            _ => limits.max().unwrap_or(current),
        }
    }

    fn down_limit(&self, current: i32, rules: Option<&HPAScalingRules>, now: Timestamp) -> i32 {
        let shrunk = |start: i32, percent: i32| {
            (f64::from(start) * (1.0 - f64::from(percent) / 100.0)) as i32
        };
        let limits = self.limits(current, rules, now, |start, kind, value| match kind {
            "Percent" => shrunk(start, value),
            _ => start.saturating_sub(value),
        });
        match choice(rules) {
            "Disabled" => current,
            "Min" => limits.max().unwrap_or(current),
            _ => limits.min().unwrap_or(current),
        }
    }

    /// How far each policy lets the size go, from the size at the beginning of its period.
    fn limits<'a>(
        &'a self,
        current: i32,
        rules: Option<&'a HPAScalingRules>,
        now: Timestamp,
        limit: impl Fn(i32, &str, i32) -> i32 + 'a,
    ) -> impl Iterator<Item = i32> + 'a {
        let policies = rules.and_then(|rules| rules.policies.as_deref());
        policies.unwrap_or_default().iter().map(move |policy| {
            let period = Duration::from_secs(policy.period_seconds.unsigned_abs().into());
            let since = before(now, period);
            let sum = |changes: &[(Timestamp, i32)]| -> i32 {
                let recent = changes.iter().filter(|(at, _)| *at > since);
                recent.map(|(_, change)| change).sum()
            };
            let start = current - sum(&self.ups) + sum(&self.downs);
            limit(start, &policy.type_, policy.value)
        })
    }
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

fn window(rules: Option<&HPAScalingRules>, otherwise: Duration) -> Duration {
    let seconds = rules.and_then(|rules| rules.stabilization_window_seconds);
    seconds.map_or(otherwise, |seconds| {
        Duration::from_secs(seconds.unsigned_abs().into())
    })
}

fn choice(rules: Option<&HPAScalingRules>) -> &str {
    let choice = rules.and_then(|rules| rules.select_policy.as_deref());
    choice.unwrap_or("Max")
}

type Why = (&'static str, &'static str);

const WITHIN: Why = (
    "DesiredWithinRange",
    "the desired count is within the acceptable range",
);
const TOO_FAST_UP: Why = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
);
const TOO_FAST_DOWN: Why = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);
const TOO_MANY: Why = (
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
);
const TOO_FEW: Why = (
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
);

/// Without rules a step up leads at most to twice the size, or to 4.
fn plain_limits(current: i32, wanted: i32, bounds: Bounds) -> (i32, &'static str, &'static str) {
    let limit = current.saturating_mul(2).max(4);
    let (most, why) = if bounds.max > limit {
        (limit, TOO_FAST_UP)
    } else {
        (bounds.max, TOO_MANY)
    };
    let (replicas, (reason, message)) = match wanted {
        _ if wanted < bounds.min => (bounds.min, TOO_FEW),
        _ if wanted > most => (most, why),
        _ => (wanted, WITHIN),
    };
    (replicas, reason, message)
}

fn able(is_stabilized: bool, why: &'static str) -> Saying {
    let (reason, message) = match (is_stabilized, why) {
        (false, _) => ("ReadyForNewScale", "recommended size matches current size"),
        (true, "ScaleUpStabilized") => (
            why,
            "recent recommendations were lower than current one, applying the lowest recent recommendation",
        ),
        (true, _) => (
            why,
            "recent recommendations were higher than current one, applying the highest recent recommendation",
        ),
    };
    Saying {
        status: true,
        reason,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    const UP_TO_10: Bounds = Bounds { min: 1, max: 10 };

    fn behavior(up: Value, down: Value) -> HorizontalPodAutoscalerBehavior {
        serde_json::from_value(json!({"scaleUp": up, "scaleDown": down})).unwrap()
    }

    /// What the API makes of `behavior: {scaleUp: {}}`.
    fn default_behavior() -> HorizontalPodAutoscalerBehavior {
        let policy =
            |kind: &str, value: u32| json!({"type": kind, "value": value, "periodSeconds": 15});
        let up = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
            "policies": [policy("Pods", 4), policy("Percent", 100)]});
        behavior(
            up,
            json!({"selectPolicy": "Max", "policies": [policy("Percent", 100)]}),
        )
    }

    /// The sizes that follow from one proposal at each evaluation, 15 s apart.
    fn sizes(
        behavior: Option<&HorizontalPodAutoscalerBehavior>,
        bounds: Bounds,
        from: i32,
        proposals: impl IntoIterator<Item = i32>,
    ) -> Vec<(i32, &'static str, &'static str)> {
        let (mut history, mut current) = (History::default(), from);
        history.begin(from, at(0));
        let mut seen = vec![];
        for (n, proposed) in proposals.into_iter().enumerate() {
            let now = at(15 * n as i64);
            let sized = history.size(behavior, current, proposed, bounds, now);
            if sized.replicas != current {
                history.resized(current, sized.replicas, now);
                current = sized.replicas;
            }
            seen.push((current, sized.able.reason, sized.limited.reason));
        }
        seen
    }

    #[test]
    fn hpa_7_without_behavior_a_step_doubles_and_the_first_leads_to_4() {
        let steps = sizes(None, UP_TO_10, 1, [20, 20, 20]);
        assert_eq!(
            steps,
            [
                (4, "ReadyForNewScale", "ScaleUpLimit"),
                (8, "ReadyForNewScale", "ScaleUpLimit"),
                (10, "ReadyForNewScale", "TooManyReplicas")
            ]
        );
    }

    #[test]
    fn hpa_8_with_default_behavior_the_first_step_leads_to_5() {
        let steps = sizes(Some(&default_behavior()), UP_TO_10, 1, [20, 20]);
        assert_eq!(
            steps,
            [
                (5, "ReadyForNewScale", "ScaleUpLimit"),
                (10, "ReadyForNewScale", "TooManyReplicas")
            ]
        );
    }

    #[test]
    fn hpa_9_the_size_stays_for_300_s_after_the_last_high_proposal() {
        for behavior in [None, Some(&default_behavior())] {
            let proposals = [6].into_iter().chain([1; 21]);
            let seen: Vec<i32> = sizes(behavior, UP_TO_10, 4, proposals)
                .into_iter()
                .map(|(size, ..)| size)
                .collect();
            let stayed = seen.iter().filter(|size| **size == 6).count();
            // At 0 s and then for 300 s; without rules the proposal made 300 s ago still counts.
            let expected = if behavior.is_none() { 21 } else { 20 };
            assert_eq!((stayed, seen.last()), (expected, Some(&1)), "{seen:?}");
        }
    }

    #[test]
    fn hpa_10_without_a_window_it_drops_at_once() {
        let all = json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]);
        let down = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": all});
        let rules = behavior(json!({"policies": all}), down);
        assert_eq!(
            sizes(Some(&rules), UP_TO_10, 6, [2]),
            [(2, "ReadyForNewScale", "DesiredWithinRange")]
        );
    }

    #[test]
    fn hpa_12_never_outside_the_bounds() {
        let bounds = Bounds { min: 3, max: 5 };
        assert_eq!(
            sizes(None, bounds, 4, [9]),
            [(5, "ReadyForNewScale", "TooManyReplicas")]
        );
        let (mut history, now) = (History::default(), at(0));
        let sized = history.size(None, 4, 0, bounds, now);
        assert_eq!(
            (sized.replicas, sized.limited.reason),
            (3, "TooFewReplicas")
        );
    }

    #[test]
    fn a_policy_counts_from_the_size_at_the_beginning_of_its_period() {
        let one_a_minute = json!({"selectPolicy": "Max", "stabilizationWindowSeconds": 0,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]});
        let rules = behavior(one_a_minute.clone(), one_a_minute);
        let up = sizes(Some(&rules), UP_TO_10, 1, [5; 6]);
        let up: Vec<i32> = up.into_iter().map(|(size, ..)| size).collect();
        assert_eq!(up, [2, 2, 2, 2, 3, 3]);
        let down = sizes(Some(&rules), UP_TO_10, 5, [1; 2]);
        assert_eq!(down[1], (4, "ReadyForNewScale", "ScaleDownLimit"));
    }

    #[test]
    fn a_direction_can_be_forbidden_and_the_smaller_change_preferred() {
        let policies = json!([{"type": "Pods", "value": 3, "periodSeconds": 15}, {"type": "Percent", "value": 10, "periodSeconds": 15}]);
        let rules = |choice: &str| json!({"selectPolicy": choice, "stabilizationWindowSeconds": 0, "policies": policies});
        let forbidden = behavior(rules("Disabled"), rules("Disabled"));
        assert_eq!(sizes(Some(&forbidden), UP_TO_10, 4, [9])[0].0, 4);
        assert_eq!(sizes(Some(&forbidden), UP_TO_10, 4, [1])[0].0, 4);
        let small = behavior(rules("Min"), rules("Min"));
        assert_eq!(sizes(Some(&small), UP_TO_10, 4, [9])[0].0, 5);
        let large = behavior(rules("Max"), rules("Max"));
        assert_eq!(sizes(Some(&large), UP_TO_10, 4, [9])[0].0, 7);
    }

    #[test]
    fn going_up_can_wait_for_the_lowest_recent_proposal() {
        let rules = json!({"selectPolicy": "Max", "stabilizationWindowSeconds": 40,
            "policies": [{"type": "Pods", "value": 9, "periodSeconds": 15}]});
        let rules = behavior(rules.clone(), rules);
        let steps = sizes(Some(&rules), UP_TO_10, 1, [5, 6, 7, 8]);
        assert_eq!(
            steps,
            [
                (1, "ScaleUpStabilized", "DesiredWithinRange"),
                (1, "ScaleUpStabilized", "DesiredWithinRange"),
                (1, "ScaleUpStabilized", "DesiredWithinRange"),
                (6, "ScaleUpStabilized", "DesiredWithinRange")
            ]
        );
    }
}
