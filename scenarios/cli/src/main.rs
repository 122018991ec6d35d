//! brownout — the command line.
mod args;
mod chaos;
mod coverage;
mod files;
mod images;
mod kafka;
mod place;
mod runs;
mod scenarios;
mod screen;
mod select;
mod serve;
mod signals;
mod text;

use args::{Args, Command};
use clap::Parser;
use model::ExitCode;
use std::process;

fn main() -> process::ExitCode {
    // The shim makes namespaces, which a process with threads cannot: it comes before everything else.
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(place::SHIM) {
        return node::shim::main(words.collect());
    }
    // What is started inside a struck container has to hold all threads of another process, from its own only thread.
    if std::env::args().nth(1).as_deref() == Some(::chaos::grip::WORD) {
        return ::chaos::grip::main(&words.collect::<Vec<_>>());
    }
    // So does the image postgres, for an ordinary user, and it waits for signals with its only thread.
    if let Some(word @ (postgres::WORD | postgres::INSIDE)) = std::env::args().nth(1).as_deref() {
        return postgres::main(word, &std::env::args().skip(2).collect::<Vec<_>>());
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let _ = e.print();
            let is_help = !e.use_stderr();
            return if is_help {
                process::ExitCode::SUCCESS
            } else {
                ended(ExitCode::Usage)
            };
        }
    };
    match args.command {
        // Services, the broker and load workers set up their own runtime and logs: they are pods.
        Command::Serve { system, service } => serve::serve(&system, service.as_deref()),
        Command::Broker => serve::broker(),
        Command::LoadWorker => load::main_worker(),
        Command::Canary => load::canary::main_canary(),
        command => harness(command),
    }
}

fn harness(command: Command) -> process::ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BROWNOUT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime =
        tokio::runtime::Runtime::new().expect("a runtime needs only threads and an epoll");
    let done = runtime.block_on(perform(command));
    // A watch or a log that is still open must not keep the process.
    runtime.shutdown_background();
    ended(done.unwrap_or_else(|error| {
        eprintln!("brownout: {}", model::visible(&format!("{error:#}")));
        failed(&error)
    }))
}

/// How a process ends that could not do what it was asked.
fn failed(error: &anyhow::Error) -> ExitCode {
    let left = |e: &runner::Error| matches!(e, runner::Error::Timeline { clean: false, .. });
    if error.chain().filter_map(|e| e.downcast_ref()).any(left) {
        ExitCode::FaultInPlace
    } else if error.is::<select::Wrong>() {
        ExitCode::Usage
    } else {
        ExitCode::Internal
    }
}

async fn perform(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Scenarios(wanted) => scenarios::run(wanted).await,
        Command::Validate { files } => select::validate(&files),
        Command::Explain { name, arms } => select::explain(&name, &arms),
        Command::Schema => {
            files::say(&format!("{:#}\n", plan::schema()));
            Ok(ExitCode::Pass)
        }
        Command::Coverage { runs, file } => coverage::write(&runs, &file),
        Command::Report { run, junit } => runs::report_again(&run, junit.as_deref()),
        Command::Recover { runs } => runs::recover(&runs).await,
        Command::Chaos(args::Chaos::Run(wanted)) => chaos::run(&wanted).await,
        Command::Chaos(args::Chaos::Validate { file }) => chaos::validate(&file),
        Command::Cluster { dir, images } => place::keep_cluster(&dir, &images).await,
        Command::Serve { .. } | Command::Broker | Command::LoadWorker | Command::Canary => {
            unreachable!("these were dispatched before")
        }
    }
}

fn ended(code: ExitCode) -> process::ExitCode {
    process::ExitCode::from(code.number())
}
