//! data — the folder of the data: made at the first start, found at every other.

use crate::settings::Settings;
use crate::user::User;
use crate::{Error, Programs};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the folder the server's, and a database in it where there is none.
pub(crate) fn prepare(programs: &Programs, settings: &Settings, user: &User) -> Result<(), Error> {
    let wrong = |source| Error::Data {
        data: settings.data.clone(),
        source,
    };
    fs::create_dir_all(&settings.data).map_err(wrong)?;
    if let Some(owner) = user.owner() {
        give(&settings.data, owner).map_err(wrong)?;
    }
    fs::set_permissions(&settings.data, Permissions::from_mode(0o700)).map_err(wrong)?;
    let version = fs::metadata(settings.data.join("PG_VERSION"));
    if version.is_ok_and(|file| file.len() > 0) {
        println!(
            "postgres: there is a database in {}",
            settings.data.display()
        );
        return Ok(());
    }
    if settings.password.is_none() && settings.host_method != "trust" {
        return Err(Error::NoPassword);
    }
    initialise(programs, settings, user)?;
    fs::write(
        settings.data.join("pg_hba.conf"),
        who_may(&settings.host_method),
    )
    .map_err(wrong)
}

/// Everything in `path` belongs to this user afterwards.
fn give(path: &Path, owner: (u32, u32)) -> io::Result<()> {
    let (uid, gid) = owner;
    let found = fs::symlink_metadata(path)?;
    if found.uid() != uid {
        lchown(path, Some(uid), Some(gid))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

fn initialise(programs: &Programs, settings: &Settings, user: &User) -> Result<(), Error> {
    let mut initdb = user.command(&programs.path("initdb"));
    initdb
        .arg("--pgdata")
        .arg(&settings.data)
        .args(["--username", &settings.user, "--auth=trust"])
        .args(["--encoding=UTF8", "--locale=C"])
        .args(&settings.initdb_args);
    done("initdb", initdb, "")?;
    // One server without a network, for these statements only.
    let mut single = user.command(&programs.path("postgres"));
    single.args(["--single", "-j", "-D"]).arg(&settings.data);
    // It prompts there.
    single.arg("postgres").stdout(Stdio::null());
    done("postgres --single", single, &statements(settings))
}

/// Runs it to its end with this input.
fn done(program: &'static str, mut command: Command, input: &str) -> Result<(), Error> {
    let failed = |why: String| Error::Program { program, why };
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let given = child
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(input.as_bytes()));
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    match (status.success(), given) {
        (true, Some(Err(error))) => Err(failed(error.to_string())),
        (true, _) => Ok(()),
        (false, _) => Err(failed(status.to_string())),
    }
}

/// In single-user mode with `-j` a statement ends with a semicolon and an empty line.
fn statements(settings: &Settings) -> String {
    let name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let password = settings.password.as_ref().map(|password| {
        let password = password.replace('\'', "''");
        format!(
            "ALTER ROLE {} PASSWORD '{password}';\n\n",
            name(&settings.user)
        )
    });
    let database = (settings.database != "postgres")
        .then(|| format!("CREATE DATABASE {};\n\n", name(&settings.database)));
    [password, database].into_iter().flatten().collect()
}

/// The whole of `pg_hba.conf`. On the embedded cluster all pods come from 127.0.0.1, so it is nobody's privilege.
fn who_may(host_method: &str) -> String {
    format!("local all all trust\nhost all all all {host_method}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_password_may_hold_quotes() {
        let settings = Settings::read(|name| match name {
            "POSTGRES_USER" => Some("o\"rder".into()),
            "POSTGRES_PASSWORD" => Some("it's".into()),
            _ => None,
        });
        assert_eq!(
            statements(&settings.unwrap()),
            "ALTER ROLE \"o\"\"rder\" PASSWORD 'it''s';\n\nCREATE DATABASE \"o\"\"rder\";\n\n"
        );
    }

    #[test]
    fn the_database_postgres_is_there_anyway() {
        let settings = Settings::read(|_| None);
        assert_eq!(statements(&settings.unwrap()), "");
    }
}
