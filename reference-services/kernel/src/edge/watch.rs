//! watch — tells of every turn a circuit breaker takes, failsafe's own or Hystrix's.

use failsafe::Instrument;
use prometheus_client::metrics::gauge::Gauge;

/// Listens to the breaker in front of one callee.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub callee: &'static str,
    pub state: Gauge,
}

impl Instrument for Watch {
    /// Calls that nobody makes are counted where they are refused.
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        tracing::warn!("{}: circuit breaker opens", self.callee);
        self.state.set(2);
    }

    fn on_half_open(&self) {
        tracing::info!("{}: circuit breaker lets one call through", self.callee);
        self.state.set(1);
    }

    fn on_closed(&self) {
        tracing::debug!("{}: circuit breaker is closed", self.callee);
        self.state.set(0);
    }
}
