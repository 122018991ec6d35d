//! Whether what was shown not to hold stays so, whatever the evidence that is missing would have shown.
use model::{CheckKind, Comparison, EdgeMetric, Metric, Threshold, WorkloadMetric};

/// True of a check whose failure more evidence cannot turn into a pass: errors do not become fewer, a wrong answer stays wrong.
/// False where the missing part could have made it hold: nothing failed *yet*, no pod was replaced *yet*.
pub(crate) fn is_final(kind: &CheckKind) -> bool {
    match kind {
        CheckKind::Metric {
            metric, condition, ..
        } => stays_beyond(*metric, *condition),
        CheckKind::Workload {
            metric, condition, ..
        } => stays_above(*metric, *condition),
        CheckKind::Edge {
            metric, condition, ..
        } => stays_counted(*metric, *condition),
        CheckKind::ReplacementInside { .. } => false,
        CheckKind::Responses { .. }
        | CheckKind::FailuresAre { .. }
        | CheckKind::Conserved { .. }
        | CheckKind::Unique { .. }
        | CheckKind::SagaTerminates { .. }
        | CheckKind::Converges { .. }
        | CheckKind::Output { .. }
        | CheckKind::Logged { .. }
        | CheckKind::Awaited { .. }
        | CheckKind::EndpointsNeverEmpty { .. }
        | CheckKind::NoLostAckedWrites { .. }
        | CheckKind::NoDuplicates { .. } => true,
    }
}

/// Calls do not become fewer, nor errors.
fn stays_counted(metric: EdgeMetric, condition: Threshold) -> bool {
    use Comparison::{Equal, Less, LessOrEqual};
    use EdgeMetric::{BreakerOpened, BreakerRejected, Calls, Errors};
    match (metric, condition.comparison) {
        (Calls | Errors | BreakerOpened | BreakerRejected, Less | LessOrEqual) => true,
        (Calls | Errors | BreakerOpened | BreakerRejected, Equal) => condition.value == 0.0,
        _ => false,
    }
}

/// Restarts do not become fewer, nor the most replicas there were.
fn stays_above(metric: WorkloadMetric, condition: Threshold) -> bool {
    use Comparison::{Equal, Less, LessOrEqual};
    use WorkloadMetric::{DesiredMax, ReplicasMax, Restarts};
    match (metric, condition.comparison) {
        (Restarts | ReplicasMax | DesiredMax, Less | LessOrEqual) => true,
        (Restarts, Equal) => condition.value == 0.0,
        _ => false,
    }
}

fn stays_beyond(metric: Metric, condition: Threshold) -> bool {
    use Comparison::{Equal, GreaterOrEqual, Less, LessOrEqual};
    match (metric, condition.comparison) {
        (
            Metric::Errors
            | Metric::ErrorsOf(_)
            | Metric::UnavailabilityWindows
            | Metric::UnavailabilityLongest
            | Metric::UnavailabilityTotal,
            Less | LessOrEqual,
        ) => true,
        (
            Metric::Errors
            | Metric::ErrorsOf(_)
            | Metric::ErrorRatio
            | Metric::UnavailabilityWindows
            | Metric::UnavailabilityLongest
            | Metric::UnavailabilityTotal,
            Equal | LessOrEqual,
        ) => condition.value == 0.0,
        (Metric::Availability, Equal | GreaterOrEqual) => condition.value >= 1.0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(metric: Metric, comparison: Comparison, value: f64) -> bool {
        let condition = Threshold { comparison, value };
        is_final(&CheckKind::Metric {
            metric,
            condition,
            step: "load".into(),
        })
    }

    #[test]
    fn one_error_too_many_stays_one_too_many() {
        assert!(metric(Metric::Errors, Comparison::Equal, 0.0));
        assert!(metric(Metric::Errors, Comparison::LessOrEqual, 5.0));
        assert!(metric(Metric::Availability, Comparison::Equal, 1.0));
        assert!(metric(Metric::UnavailabilityLongest, Comparison::Less, 0.3));
    }

    #[test]
    fn what_has_not_happened_yet_may_still_happen() {
        assert!(!metric(Metric::Availability, Comparison::Less, 1.0));
        assert!(!metric(
            Metric::UnavailabilityWindows,
            Comparison::Equal,
            1.0
        ));
        assert!(!metric(
            Metric::UnavailabilityLongest,
            Comparison::GreaterOrEqual,
            3.0
        ));
        assert!(!metric(
            Metric::Availability,
            Comparison::GreaterOrEqual,
            0.999
        ));
        assert!(!metric(Metric::LatencyP99, Comparison::LessOrEqual, 1.0));
        let replaced = CheckKind::ReplacementInside {
            deployment: "review".into(),
            load: "load".into(),
        };
        assert!(!is_final(&replaced));
    }
}
