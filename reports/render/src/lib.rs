//! render — Report → bytes: nothing here judges, and nothing here has a clock or a socket.
//!
//! - [`html`]: one self-contained page, light and dark, for screens, phones and paper (`page`, with `charts` by plotters)
//! - [`junit`]: a case for each condition and objective
//! - [`json`]: everything but the timeline
//! - [`markdown`]: a summary for a CI step
//! - [`terminal`]: a summary for the end of a run
mod charts;
mod json;
mod junit;
mod lanes;
mod layout;
mod markdown;
mod page;
mod series;
mod terminal;
mod words;

pub use json::json;
pub use junit::junit;
pub use markdown::markdown;
pub use page::html;
pub use terminal::terminal;
