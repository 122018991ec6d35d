//! mybnb over real HTTP.

mod alarms;
mod registration;
mod whole;
mod world;
