//! mybnb over real HTTP.

mod alarms;
mod registration;
mod screen;
mod whole;
mod world;
