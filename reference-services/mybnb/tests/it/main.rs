//! mybnb over real HTTP.

mod alarms;
mod postgres;
mod registration;
mod screen;
mod whole;
mod world;
