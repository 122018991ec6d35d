//! programs — where this machine's PostgreSQL is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where Debian has them, a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with `initdb`, `postgres` and `psql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs(PathBuf);

impl Programs {
    /// The newest that Debian installed, or those in `PATH`.
    pub fn find() -> Option<Programs> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        find_in(Path::new(DEBIAN), &path).map(Programs)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.0.join(program)
    }
}

fn find_in(debian: &Path, path: &OsStr) -> Option<PathBuf> {
    let versions = std::fs::read_dir(debian).into_iter().flatten().flatten();
    let version = |folder: &PathBuf| -> Option<u32> { folder.file_name()?.to_str()?.parse().ok() };
    let newest = versions
        .map(|entry| entry.path())
        .filter(|folder| is_complete(&folder.join("bin")))
        .max_by_key(version);
    newest
        .map(|folder| folder.join("bin"))
        .or_else(|| std::env::split_paths(path).find(|folder| is_complete(folder)))
}

/// A client alone, which has neither `initdb` nor `postgres`, is none.
fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_newest_complete_version_is_taken_and_else_that_of_the_path() {
        let machine = tempfile::tempdir().unwrap();
        let install = |folder: &str, programs: &[&str]| {
            let folder = machine.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            for program in programs {
                fs::write(folder.join(program), "").unwrap();
            }
            folder
        };
        let own = install("opt", &["initdb", "postgres"]);
        let debian = machine.path().join("lib");
        let find = || find_in(&debian, own.as_os_str());
        assert_eq!(find(), Some(own.clone()));
        install("lib/9/bin", &["initdb", "postgres"]);
        let newest = install("lib/15/bin", &["initdb", "postgres"]);
        install("lib/17/bin", &["psql"]);
        assert_eq!(find(), Some(newest));
        assert_eq!(find_in(&machine.path().join("none"), OsStr::new("")), None);
    }
}
