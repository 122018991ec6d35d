//! decide — one evaluation of an autoscaler: what it saw becomes a status, events, and perhaps a new size.

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        autoscaling::v2::{
            ContainerResourceMetricStatus, HorizontalPodAutoscaler,
            HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus, MetricSpec,
            MetricStatus, MetricTarget, MetricValueStatus, ResourceMetricStatus,
        },
        core::v1::Pod,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Time},
};

use apiserver::quantity;

use super::{
    calculate::{self, Goal, PodUse, Proposal, Target},
    size::{Bounds, History, Saying},
};

/// What an autoscaler sees at one evaluation.
pub(super) struct Seen<'a> {
    pub scaler: &'a HorizontalPodAutoscaler,
    /// The target's size, or why it cannot be read.
    pub scale: Result<Scale, String>,
    /// All autoscalers of the pods, this one included, by namespace and name.
    pub rivals: Vec<String>,
    pub pods: Vec<Pod>,
    /// What the pods use, or why it cannot be read.
    pub used: Result<Vec<PodUse>, String>,
    pub now: Timestamp,
}

/// The size of a target.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scale {
    pub wanted: i32,
    pub selector: String,
    pub version: Option<String>,
}

/// Something to tell in an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub is_warning: bool,
    pub reason: String,
    pub message: String,
}

/// A new size and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resize {
    pub from: i32,
    pub to: i32,
    pub reason: String,
}

/// What follows from an evaluation. A new size is still to be set; [`Decision::resized`] completes the decision then.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    pub status: HorizontalPodAutoscalerStatus,
    pub resize: Option<Resize>,
    pub events: Vec<Told>,
    now: Timestamp,
}

const ABLE: &str = "AbleToScale";
const ACTIVE: &str = "ScalingActive";
const LIMITED: &str = "ScalingLimited";

/// The highest proposal of all metrics and how its metric is called.
struct Highest {
    replicas: i32,
    metric: String,
}

/// Why no size can be computed; told already where it arose.
struct Failed(String);

pub(super) fn decide(seen: Seen, history: &mut History) -> Decision {
    let mut decision = Decision {
        status: seen.scaler.status.clone().unwrap_or_default(),
        resize: None,
        events: vec![],
        now: seen.now,
    };
    let scale = match &seen.scale {
        Ok(scale) => scale.clone(),
        Err(why) => {
            decision.warn("FailedGetScale", why);
            let message =
                format!("the HPA controller was unable to get the target's current scale: {why}");
            decision.set(ABLE, false, "FailedGetScale", message);
            return decision;
        }
    };
    let message = "the HPA controller was able to get the target's current scale";
    decision.set(ABLE, true, "SucceededGetScale", message);
    history.begin(scale.wanted, seen.now);
    let spec = seen.scaler.spec.clone().unwrap_or_default();
    let bounds = Bounds {
        min: spec.min_replicas.unwrap_or(1),
        max: spec.max_replicas,
    };
    let current = scale.wanted;
    let resize = |to, reason: &str| Resize {
        from: current,
        to,
        reason: reason.into(),
    };
    if current == 0 && bounds.min != 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        decision.set(ACTIVE, false, "ScalingDisabled", message);
        decision.sized(current, current, None);
    } else if current > bounds.max {
        let reason = "Current number of replicas above Spec.MaxReplicas";
        decision.resize = Some(resize(bounds.max, reason));
        decision.sized(current, bounds.max, None);
    } else if current < bounds.min {
        let reason = "Current number of replicas below Spec.MinReplicas";
        decision.resize = Some(resize(bounds.min, reason));
        decision.sized(current, bounds.min, None);
    } else {
        let (highest, measured) = decision.highest(&seen, &scale);
        let highest = match highest {
            Ok(highest) => highest,
            Err(Failed(why)) => {
                let before = decision.status.desired_replicas;
                decision.sized(current, before, measured);
                decision.warn("FailedComputeMetricsReplicas", &why);
                return decision;
            }
        };
        let reason = match highest.replicas > current {
            true => format!("{} above target", highest.metric),
            false => "All metrics below target".into(),
        };
        let behavior = spec.behavior.as_ref();
        let sized = history.size(behavior, current, highest.replicas, bounds, seen.now);
        decision.say(ABLE, sized.able);
        decision.say(LIMITED, sized.limited);
        if sized.replicas != current {
            decision.resize = Some(resize(sized.replicas, &reason));
        }
        decision.sized(current, sized.replicas, measured);
    }
    decision
}

impl Decision {
    /// The new size was set, or was not and why.
    pub fn resized(&mut self, done: Result<(), String>, before: i32, history: &mut History) {
        let Some(Resize { from, to, reason }) = self.resize.clone() else {
            return;
        };
        match done {
            Ok(()) => {
                let message =
                    format!("the HPA controller was able to update the target scale to {to}");
                self.set(ABLE, true, "SucceededRescale", message);
                self.events.push(Told {
                    is_warning: false,
                    reason: "SuccessfulRescale".into(),
                    message: format!("New size: {to}; reason: {reason}"),
                });
                self.status.last_scale_time = Some(Time(self.now));
                history.resized(from, to, self.now);
            }
            Err(why) => {
                let message = format!("New size: {to}; reason: {reason}; error: {why}");
                self.warn("FailedRescale", &message);
                let message =
                    format!("the HPA controller was unable to update the target scale: {why}");
                self.set(ABLE, false, "FailedUpdateScale", message);
                self.status.desired_replicas = before;
            }
        }
    }

    fn warn(&mut self, reason: &str, message: &str) {
        self.events.push(Told {
            is_warning: true,
            reason: reason.into(),
            message: message.into(),
        });
    }

    fn say(&mut self, condition: &str, saying: Saying) {
        self.set(condition, saying.status, saying.reason, saying.message);
    }

    /// The time of a condition is when its status changed, not its reason.
    fn set(&mut self, condition: &str, status: bool, reason: &str, message: impl Into<String>) {
        let status = if status { "True" } else { "False" };
        let all = self.status.conditions.get_or_insert_default();
        let at = all.iter().position(|one| one.type_ == condition);
        let at = at.unwrap_or_else(|| {
            all.push(HorizontalPodAutoscalerCondition {
                type_: condition.into(),
                ..HorizontalPodAutoscalerCondition::default()
            });
            all.len() - 1
        });
        let one = &mut all[at];
        if one.status != status {
            one.last_transition_time = Some(Time(self.now));
        }
        one.status = status.into();
        one.reason = Some(reason.into());
        one.message = Some(message.into());
    }

    fn sized(&mut self, current: i32, desired: i32, measured: Option<Vec<MetricStatus>>) {
        self.status.current_replicas = Some(current);
        self.status.desired_replicas = desired;
        self.status.current_metrics = measured;
    }

    /// The largest proposal wins. While some metric fails the size does not fall; when all fail nothing happens.
    fn highest(
        &mut self,
        seen: &Seen,
        scale: &Scale,
    ) -> (Result<Highest, Failed>, Option<Vec<MetricStatus>>) {
        if scale.selector.is_empty() {
            let why = "selector is required";
            self.warn("SelectorRequired", why);
            let message = "the HPA target's scale is missing a selector";
            self.set(ACTIVE, false, "InvalidSelector", message);
            return (Err(Failed(why.into())), None);
        }
        if seen.rivals.len() > 1 {
            let (selector, rivals) = (&scale.selector, seen.rivals.join(" "));
            let why =
                format!("pods by selector {selector} are controlled by multiple HPAs: [{rivals}]");
            self.warn("AmbiguousSelector", &why);
            self.set(ACTIVE, false, "AmbiguousSelector", why.clone());
            return (Err(Failed(why)), None);
        }
        let spec = seen.scaler.spec.as_ref();
        let metrics = spec.and_then(|spec| spec.metrics.as_deref());
        let metrics = metrics.unwrap_or_default();
        let mut statuses = vec![MetricStatus::default(); metrics.len()];
        let mut highest: Option<Highest> = None;
        let mut failures: Vec<(String, Failure)> = vec![];
        for (metric, status) in metrics.iter().zip(&mut statuses) {
            match evaluate(metric, seen, scale) {
                Ok((replicas, name, measured)) => {
                    *status = measured;
                    if highest
                        .as_ref()
                        .is_none_or(|h| h.replicas == 0 || replicas > h.replicas)
                    {
                        let metric = name;
                        highest = Some(Highest { replicas, metric });
                    }
                }
                Err(failure) => {
                    self.warn(failure.reason, &failure.why);
                    failures.push((failure.context.clone(), failure));
                }
            }
        }
        let blocks = |h: &Highest| !failures.is_empty() && h.replicas < scale.wanted;
        match (highest.filter(|h| !blocks(h)), failures.first()) {
            (Some(highest), _) => {
                let message = format!(
                    "the HPA was able to successfully calculate a replica count from {}",
                    highest.metric
                );
                self.set(ACTIVE, true, "ValidMetricFound", message);
                (Ok(highest), Some(statuses))
            }
            (None, first) => {
                let (failed, all) = (failures.len(), metrics.len());
                let mut why = format!("invalid metrics ({failed} invalid out of {all})");
                if let Some((context, failure)) = first {
                    why += &format!(", first error is: {context}: {}", failure.why);
                    let message = format!(
                        "the HPA was unable to compute the replica count: {}",
                        failure.why
                    );
                    self.set(ACTIVE, false, failure.reason, message);
                }
                (Err(Failed(why)), Some(statuses))
            }
        }
    }
}

/// Why a metric proposes nothing.
struct Failure {
    reason: &'static str,
    why: String,
    /// What a list of failures says before the reason.
    context: String,
}

fn evaluate(
    metric: &MetricSpec,
    seen: &Seen,
    scale: &Scale,
) -> Result<(i32, String, MetricStatus), Failure> {
    if let Some(source) = &metric.resource {
        let name = source.name.clone();
        let (proposal, label) =
            measure(&name, None, &source.target, seen, scale).map_err(|why| Failure {
                reason: "FailedGetResourceMetric",
                why,
                context: format!("failed to get {name} resource metric value"),
            })?;
        let status = MetricStatus {
            type_: "Resource".into(),
            resource: Some(ResourceMetricStatus {
                current: shown(&proposal),
                name,
            }),
            ..MetricStatus::default()
        };
        return Ok((proposal.replicas, label, status));
    }
    if let Some(source) = &metric.container_resource {
        let (name, container) = (source.name.clone(), source.container.clone());
        let measured = measure(&name, Some(&container), &source.target, seen, scale);
        let (proposal, label) = measured.map_err(|why| Failure {
            reason: "FailedGetContainerResourceMetric",
            why,
            context: format!("failed to get {container} container metric value"),
        })?;
        let status = MetricStatus {
            type_: "ContainerResource".into(),
            container_resource: Some(ContainerResourceMetricStatus {
                current: shown(&proposal),
                container,
                name,
            }),
            ..MetricStatus::default()
        };
        return Ok((proposal.replicas, label, status));
    }
    Err(without_adapter(metric, seen))
}

fn measure(
    resource: &str,
    container: Option<&str>,
    target: &MetricTarget,
    seen: &Seen,
    scale: &Scale,
) -> Result<(Proposal, String), String> {
    let average = target.average_value.as_ref();
    let average = average.and_then(|value| quantity::thousandths(&value.0));
    let (wanted, label, failure) = match (average, target.average_utilization) {
        (Some(average), _) => (
            Target::Average(i64::try_from(average).unwrap_or(i64::MAX)),
            format!("{resource} resource"),
            format!("failed to get {resource} usage"),
        ),
        (None, Some(percent)) => {
            let of = if container.is_some() {
                " container"
            } else {
                ""
            };
            (
                Target::Percent(percent),
                format!("{resource}{of} resource utilization (percentage of request)"),
                format!("failed to get {resource} utilization"),
            )
        }
        (None, None) => {
            let why = "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set";
            return Err(why.into());
        }
    };
    let goal = Goal {
        resource,
        container,
        target: wanted,
    };
    let used = seen.used.as_ref().map_err(|why| {
        format!("{failure}: unable to get metrics for resource {resource}: unable to fetch metrics from resource metrics API: {why}")
    })?;
    let proposal = calculate::propose(goal, &seen.pods, used, scale.wanted, seen.now)
        .map_err(|why| format!("{failure}: {why}"))?;
    Ok((proposal, label))
}

fn shown(proposal: &Proposal) -> MetricValueStatus {
    let average = format!("{}m", proposal.average);
    MetricValueStatus {
        average_utilization: proposal.percent,
        average_value: Some(Quantity(quantity::canonical(&average).unwrap_or(average))),
        value: None,
    }
}

/// Other metrics come from adapters, and this cluster has none: what Kubernetes says then.
fn without_adapter(metric: &MetricSpec, seen: &Seen) -> Failure {
    let namespace = seen
        .scaler
        .metadata
        .namespace
        .as_deref()
        .unwrap_or_default();
    let custom = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
    if let Some(pods) = &metric.pods {
        return Failure {
            reason: "FailedGetPodsMetric",
            why: format!("unable to get metric {}: {custom}", pods.metric.name),
            context: "failed to get pods metric value".into(),
        };
    }
    if let Some(object) = &metric.object {
        let (name, of) = (&object.metric.name, &object.described_object);
        return Failure {
            reason: "FailedGetObjectMetric",
            why: format!(
                "unable to get metric {name}: {} on {namespace} {}/{custom}",
                of.kind, of.name
            ),
            context: "failed to get object metric value".into(),
        };
    }
    let name = metric.external.as_ref().map(|e| e.metric.name.as_str());
    let name = name.unwrap_or_default();
    Failure {
        reason: "FailedGetExternalMetric",
        why: format!(
            "unable to get external metric {namespace}/{name}/nil: unable to fetch metrics from external metrics API: \
             the server could not find the requested resource (get {name}.external.metrics.k8s.io)"
        ),
        context: format!("failed to get {name} external metric value"),
    }
}

#[cfg(test)]
mod tests;
