//! watch — tells of every turn a circuit breaker takes.

use failsafe::Instrument;

/// Listens to the breaker in front of one callee.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub callee: &'static str,
}

impl Instrument for Watch {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        tracing::warn!("{}: circuit breaker opens", self.callee);
    }

    fn on_half_open(&self) {
        tracing::info!("{}: circuit breaker lets one call through", self.callee);
    }

    fn on_closed(&self) {
        tracing::debug!("{}: circuit breaker is closed", self.callee);
    }
}
