//! The API as its clients see it. Statement ids (`api_4_…`) are those of the conformance list.

mod objects;
mod target;
mod watches;
