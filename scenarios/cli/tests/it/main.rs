//! What a person who types `brownout` gets: the real program, started as a process, with the embedded cluster behind it.
//! With `BROWNOUT_KUBECONFIG` the catalogue and its mutants are replayed on that cluster as well.
mod bugs;
mod catalogue;
mod chaos;
mod machine;
mod mutants;
mod planted;
mod polyglot;
mod records;
mod side_by_side;
mod stopping;
mod support;
mod typos;
mod user;
