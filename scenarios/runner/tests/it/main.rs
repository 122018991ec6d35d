//! Whole runs in virtual time: an API server, the controllers and a node whose containers are scripts. Every run here must end
//! with its namespace gone.
mod beginnings;
mod blows;
mod endings;
mod faults;
mod looks;
mod world;
