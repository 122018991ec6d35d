//! mybnb over real HTTP.

mod registration;
mod whole;
mod world;
