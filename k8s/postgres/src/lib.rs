//! postgres — the image `postgres` on the embedded cluster: this machine's PostgreSQL, started as the official image starts its own.
//!
//! [`Programs::find`] says whether there is one. A pod with the image runs [`main`], which makes a database where there is none and
//! then stays as the container's first process: it ends the server when it is told to, and ends as the server ended.
//!
//! From the official image: `POSTGRES_PASSWORD`, `POSTGRES_USER`, `POSTGRES_DB` (each also from a file, as `…_FILE`),
//! `POSTGRES_INITDB_ARGS`, `POSTGRES_HOST_AUTH_METHOD`, `PGDATA`, and arguments for the server. Not from it: the scripts in
//! `/docker-entrypoint-initdb.d`, and the socket in `/var/run/postgresql`: the server listens at `POD_IP` only.

mod data;
mod programs;
mod server;
mod settings;
mod user;

pub use programs::Programs;
pub use settings::DATA;

use settings::Settings;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use user::User;

/// The word that this is started with: `… postgres [arguments for the server]`.
pub const WORD: &str = "postgres";
/// The word with which it starts a program of PostgreSQL as somebody who is not root.
pub const INSIDE: &str = "postgres-inside";

/// What keeps the server from starting.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "this machine has no PostgreSQL in /usr/lib/postgresql or in PATH (Debian: apt install postgresql)"
    )]
    NoPrograms,
    #[error("{0} is set, and {0}_FILE as well; one of them is enough")]
    Twice(&'static str),
    #[error("{name}_FILE={file}: {source}", file = file.display())]
    File {
        name: &'static str,
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the database is empty and POSTGRES_PASSWORD is not: set it, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in without"
    )]
    NoPassword,
    #[error(
        "root may not run PostgreSQL, and this machine has neither a user postgres nor nobody to do it"
    )]
    NoUser,
    #[error("PGDATA={data}: {source}", data = data.display())]
    Data {
        data: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{program}: {why}; it says more above")]
    Program { program: &'static str, why: String },
    #[error("{doing}: {source}")]
    System {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

/// Does what `args` say, after one of the two words. Call it first thing in `main`, before any thread is started.
pub fn main(word: &str, args: &[String]) -> ExitCode {
    let done = match word {
        INSIDE => user::become_program(args).map(|never| match never {}),
        _ => run(args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("postgres: {error}");
        ExitCode::FAILURE
    })
}

fn run(args: &[String]) -> Result<ExitCode, Error> {
    let programs = Programs::find().ok_or(Error::NoPrograms)?;
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let user = User::choose()?;
    data::prepare(&programs, &settings, &user)?;
    server::run(&programs, &settings, &user, args)
}
