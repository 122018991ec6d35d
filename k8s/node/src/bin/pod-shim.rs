//! The shim as a program of its own, for tests: there the current executable is the test runner.

fn main() -> std::process::ExitCode {
    node::shim::main(std::env::args().skip(1).collect())
}
