//! Stretches of time in which requests failed.
use crate::Micros;
use serde::{Deserialize, Serialize};

/// From the first failed request, by the moment it failed, to the first good one after which none fails for a while
/// (max(3/rate, 100 ms)). A time-out or a bad answer failed when it was sent, or at the first fault injected while it was in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Name of the step with the load.
    pub step: String,
    /// When the first request failed.
    pub from: Micros,
    /// When the first good request after it was sent, or the last answer if there was none.
    pub to: Micros,
    /// Whether requests succeeded inside it.
    pub state: WindowState,
    /// Failed requests inside it.
    pub failed: u64,
    /// Good requests inside it.
    pub good: u64,
    /// Failed requests by kind: `HTTP 500`, `connectionRefused`, in order of frequency.
    pub kinds: Vec<(String, u64)>,
    /// The load ended before a good request closed the window: it may have been longer.
    pub open_ended: bool,
    /// The fault that it began under, between its injection and its recovery. None: no fault of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Window {
    /// How long it was.
    pub fn length(&self) -> Micros {
        self.to.saturating_sub(self.from)
    }
}

/// What a window was like inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowState {
    /// Every request failed.
    Down,
    /// Some failed.
    Degraded,
}
