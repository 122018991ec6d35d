//! The vocabulary of scenario files: every field there is, once. The reader, its suggestions and the JSON Schema all use it.
//!
//! - `scenario`: the file, its spec, params, patches and arms
//! - `load`: requests, what is expected of them, and loads of them
//! - `look`: what can be looked at and changed in the cluster
//! - `step`: what can happen
//! - `check`: what can be asked
//! - `chaos`: files of faults without a scenario
//! - `recorded`: what was documented elsewhere
mod chaos;
mod check;
mod load;
mod look;
mod recorded;
mod scenario;
mod step;

pub use chaos::CHAOS;
pub use check::{EDGE_METRICS, Figure, INVARIANT, OBJECTIVE, figure};
pub use load::{ERROR_KINDS, LOAD, REQUEST};
pub use recorded::{DOCUMENTED, SIEGE};
pub use scenario::{PARAM, PATCH, SCENARIO, SPEC};
pub use step::{FAULT_TYPES_OF_PODS, STEP};

/// A kind of map in a scenario file.
pub struct Type {
    pub name: &'static str,
    pub about: &'static str,
    pub fields: &'static [Field],
}

/// A field of it.
pub struct Field {
    pub name: &'static str,
    pub form: Form,
    pub required: bool,
    /// What it means and, where it may be left out, what then holds.
    pub about: &'static str,
}

/// What may stand in a field.
#[derive(Clone, Copy)]
pub enum Form {
    Text,
    /// One text or a list of them.
    Texts,
    Duration,
    Rate,
    /// A whole number from 0.
    Whole,
    Number,
    /// true or false.
    Bool,
    OneOf(&'static [&'static str]),
    /// One of these words or a list of them.
    SomeOf(&'static [&'static str]),
    Condition,
    /// Anything; it is passed on as JSON.
    Json,
    /// Names with texts.
    TextMap,
    /// Names with values of params.
    Params,
    Object(&'static Type),
    List(&'static Type),
    /// Names with maps of a type.
    Map(&'static Type),
}

const fn must(name: &'static str, form: Form, about: &'static str) -> Field {
    Field {
        name,
        form,
        required: true,
        about,
    }
}

const fn may(name: &'static str, form: Form, about: &'static str) -> Field {
    Field {
        name,
        form,
        required: false,
        about,
    }
}

/// The apiVersion of scenario files.
pub const API_VERSION: &str = "brownout/v1alpha1";
