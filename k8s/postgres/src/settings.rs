//! settings — what the official image reads from its environment.

use crate::Error;
use std::path::PathBuf;

/// Where the official image keeps its data, and declares a volume.
pub const DATA: &str = "/var/lib/postgresql/data";

/// How the first server is made, and every server is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub data: PathBuf,
    /// The superuser.
    pub user: String,
    /// Needed only to make a database.
    pub password: Option<String>,
    /// The database that is made beside `postgres`.
    pub database: String,
    /// How whoever comes over the network is asked who he is, in the words of `pg_hba.conf`.
    pub host_method: String,
    pub initdb_args: Vec<String>,
    /// The only address the server listens at.
    pub address: String,
}

impl Settings {
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let or_file = |name: &'static str| match (set(name), set(&format!("{name}_FILE"))) {
            (Some(_), Some(_)) => Err(Error::Twice(name)),
            (None, Some(file)) => from_file(name, file.into()).map(Some),
            (value, None) => Ok(value),
        };
        let user = or_file("POSTGRES_USER")?.unwrap_or_else(|| "postgres".into());
        let args = set("POSTGRES_INITDB_ARGS").unwrap_or_default();
        Ok(Settings {
            data: set("PGDATA").unwrap_or_else(|| DATA.into()).into(),
            password: or_file("POSTGRES_PASSWORD")?,
            database: or_file("POSTGRES_DB")?.unwrap_or_else(|| user.clone()),
            user,
            host_method: set("POSTGRES_HOST_AUTH_METHOD").unwrap_or_else(|| "scram-sha-256".into()),
            initdb_args: args.split_whitespace().map(str::to_owned).collect(),
            address: set("POD_IP").unwrap_or_else(|| "127.0.0.1".into()),
        })
    }
}

fn from_file(name: &'static str, file: PathBuf) -> Result<String, Error> {
    match std::fs::read_to_string(&file) {
        // As a shell's `$(< file)`.
        Ok(text) => Ok(text.trim_end_matches('\n').to_owned()),
        Err(source) => Err(Error::File { name, file, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::read(|name| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_official_image() {
        let settings = read(&[("POSTGRES_USER", "order"), ("POSTGRES_PASSWORD", "pw")]).unwrap();
        let texts = [&settings.user, &settings.database, &settings.host_method];
        assert_eq!(texts, ["order", "order", "scram-sha-256"]);
        assert_eq!(settings.password.as_deref(), Some("pw"));
        let bare = read(&[]).unwrap();
        assert_eq!((&*bare.user, bare.data), ("postgres", PathBuf::from(DATA)));
        assert_eq!(bare.password, None);
    }

    #[test]
    fn a_password_may_come_from_a_file_but_not_twice() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "pw\n").unwrap();
        let file = file.to_str().unwrap();
        let settings = read(&[("POSTGRES_PASSWORD_FILE", file)]).unwrap();
        assert_eq!(settings.password.as_deref(), Some("pw"));
        let twice = read(&[
            ("POSTGRES_PASSWORD_FILE", file),
            ("POSTGRES_PASSWORD", "pw"),
        ]);
        assert!(twice.unwrap_err().to_string().contains("one of them"));
        let missing = read(&[("POSTGRES_PASSWORD_FILE", "/no/such")]).unwrap_err();
        assert!(
            missing
                .to_string()
                .contains("POSTGRES_PASSWORD_FILE=/no/such")
        );
    }
}
