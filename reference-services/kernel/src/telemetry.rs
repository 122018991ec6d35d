//! telemetry — what can be seen of a service from outside: counts for Prometheus, spans for OpenTelemetry.

pub(crate) mod metrics;
pub(crate) mod otlp;
pub(crate) mod trace;

use crate::env::Env;
use metrics::Metrics;
use std::sync::Arc;
use trace::Tracer;

/// The counts and spans of one service.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub metrics: Metrics,
    pub tracer: Tracer,
}

impl Telemetry {
    /// Counts always; spans if the environment says where to.
    pub fn of(service: &'static str, env: &Env) -> Arc<Telemetry> {
        Arc::new(Telemetry {
            metrics: Metrics::new(service),
            tracer: Tracer::of(service, env),
        })
    }
}
