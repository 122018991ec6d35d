//! The load worker on its own.
use std::process::ExitCode;

fn main() -> ExitCode {
    load::main_worker()
}
