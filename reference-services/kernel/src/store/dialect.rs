//! dialect — where SQLite and PostgreSQL differ: how they are reached, how one writer at a time is had, how texts are compared.
//!
//! A transaction looks at rows and writes what follows from them, and sometimes from there being none; so it must be alone. SQLite has
//! one writer at a time anyway. In PostgreSQL a transaction begins with a lock of the service's schema: rows that are not there cannot be
//! locked with `FOR UPDATE`, and `SERIALIZABLE` would fail two of every three creates that come at once, since all of them count up the
//! same row of `ids`. Nobody is called inside a transaction, so it is short.

use sqlx::any::AnyPoolOptions;

/// One of the databases that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// In this process: in memory, or in a file.
    Sqlite {
        is_memory: bool,
    },
    Postgres,
}

/// Connections to PostgreSQL: one writes, the others read meanwhile.
const CONNECTIONS_MAX: u32 = 5;

impl Dialect {
    /// What an address is about: `sqlite:…`, `postgres://…`.
    pub fn of(url: &str) -> Dialect {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Dialect::Postgres
        } else {
            Dialect::Sqlite {
                is_memory: url.contains(":memory:") || url.contains("mode=memory"),
            }
        }
    }

    /// The address with what it needs so that a missing file is created.
    pub fn address(self, url: &str) -> String {
        let glue = if url.contains('?') { '&' } else { '?' };
        match self {
            Dialect::Sqlite { is_memory: false } if !url.contains("mode=") => {
                format!("{url}{glue}mode=rwc")
            }
            _ => url.to_owned(),
        }
    }

    /// How many connections there are, and how they are kept. A database in memory lives as long as its one connection.
    pub fn pool(self) -> AnyPoolOptions {
        let (most, is_remote) = match self {
            Dialect::Sqlite { .. } => (1, false),
            Dialect::Postgres => (CONNECTIONS_MAX, true),
        };
        AnyPoolOptions::new()
            .min_connections(1)
            .max_connections(most)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(is_remote)
    }

    /// Said to every new connection.
    pub fn greetings(self, schema: &str) -> Vec<String> {
        match self {
            Dialect::Sqlite { is_memory: true } => vec![],
            Dialect::Sqlite { is_memory: false } => vec![
                "PRAGMA journal_mode = WAL".to_owned(),
                "PRAGMA synchronous = NORMAL".to_owned(),
                "PRAGMA busy_timeout = 5000".to_owned(),
            ],
            Dialect::Postgres => vec![format!("SET search_path TO {}", super::quoted(schema))],
        }
    }

    /// Said before tables are made.
    pub fn preparing(self, schema: &str) -> Option<String> {
        match self {
            Dialect::Sqlite { .. } => None,
            Dialect::Postgres => Some(format!(
                "CREATE SCHEMA IF NOT EXISTS {}",
                super::quoted(schema)
            )),
        }
    }

    /// What begins a transaction. SQLite's would otherwise find out only at its first write that another process has written since.
    pub fn begin(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// Said at the beginning of a transaction, so that it is the only one. The end of the transaction ends it.
    pub fn lock(self) -> Option<&'static str> {
        match self {
            Dialect::Sqlite { .. } => None,
            Dialect::Postgres => {
                Some("SELECT pg_advisory_xact_lock(hashtext(current_setting('search_path')))")
            }
        }
    }

    /// The type of a column for texts, compared by their bytes.
    pub fn text(self) -> &'static str {
        match self {
            Dialect::Sqlite { .. } => "TEXT",
            Dialect::Postgres => r#"TEXT COLLATE "C""#,
        }
    }
}

/// The schema of a service's tables: what the address says, in the words of PostgreSQL's own clients, or the service's name.
pub(super) fn schema_name<'a>(url: &'a str, service: &'a str) -> &'a str {
    let said = url.split_once("options[search_path]=");
    said.map_or(service, |(_, rest)| rest.split('&').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_there() {
        let dialect = Dialect::of("sqlite:///data/room.db");
        assert_eq!(dialect, Dialect::Sqlite { is_memory: false });
        assert_eq!(
            dialect.address("sqlite:///data/room.db"),
            "sqlite:///data/room.db?mode=rwc"
        );
        let memory = Dialect::of("sqlite::memory:");
        assert_eq!(memory, Dialect::Sqlite { is_memory: true });
        assert_eq!(memory.address("sqlite::memory:"), "sqlite::memory:");
        let url = "postgres://room@db/mybnb?options[search_path]=rooms&sslmode=disable";
        assert_eq!(Dialect::of(url), Dialect::Postgres);
        assert_eq!(schema_name(url, "room"), "rooms");
        assert_eq!(schema_name("postgresql://room@db/mybnb", "room"), "room");
    }
}
