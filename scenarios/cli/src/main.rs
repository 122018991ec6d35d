//! brownout — the command line.
fn main() {}
