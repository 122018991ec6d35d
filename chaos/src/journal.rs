//! The intent journal: what a run is about to make or break is on disk before it happens.
use crate::Change;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The name of the file in a run's folder.
pub const FILE: &str = "journal.jsonl";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "entry",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Entry {
    /// A namespace will be made.
    Namespace {
        /// Its name.
        name: String,
        /// Which cluster it is in.
        place: Place,
    },
    /// A fault will be injected.
    Injecting {
        /// Name of the step.
        step: String,
        /// What takes it back.
        undo: Change,
    },
    /// It was taken back, and that was verified.
    Undone {
        /// Name of the step.
        step: String,
    },
    /// Everything is gone.
    Clean,
}

/// How the cluster of a run is found again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cluster", rename_all = "camelCase")]
pub enum Place {
    /// It ended with the process: nothing can be left.
    Embedded,
    /// A real one.
    Kube {
        /// The kubeconfig that was named, else the usual places.
        kubeconfig: Option<PathBuf>,
        /// The context that was named.
        context: Option<String>,
    },
}

/// Writes entries, each safe on disk before the call returns.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal in a run's folder.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(run: &Path) -> io::Result<Journal> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(run.join(FILE))?;
        Ok(Journal { file })
    }

    /// Writes one entry.
    ///
    /// # Errors
    /// When it cannot be written; then what it announces must not happen.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let line = serde_json::to_string(entry).expect("an entry is plain data") + "\n";
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()
    }
}

/// So many bytes of a journal are read: a run writes some hundred.
const LENGTH_MAX: u64 = 16 << 20;

/// A pipe or a device in its place would have no end.
fn text(file: &Path) -> io::Result<String> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::other("the journal is not a regular file"));
    }
    let mut text = String::new();
    File::open(file)?
        .take(LENGTH_MAX + 1)
        .read_to_string(&mut text)?;
    match text.len() as u64 > LENGTH_MAX {
        true => Err(io::Error::other("the journal is too long to be one")),
        false => Ok(text),
    }
}

/// What a run has left behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Left {
    /// The namespace and its cluster.
    pub namespace: Option<(String, Place)>,
    /// Undo of each fault that is not known to be undone, by step.
    pub faults: BTreeMap<String, Change>,
}

impl Left {
    /// Reads the journal in a run's folder: nothing is left of a run without one, or of one that says so.
    ///
    /// # Errors
    /// When the file cannot be read. A torn last line was never acted upon and is skipped.
    pub fn read(run: &Path) -> io::Result<Left> {
        match text(&run.join(FILE)) {
            Ok(text) => Ok(Left::of(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Left::default()),
            Err(e) => Err(e),
        }
    }

    /// What is left, for people; none if nothing is.
    pub fn words(&self) -> Option<String> {
        if self.is_nothing() {
            return None;
        }
        let faults = self.faults.keys();
        let faults = faults.map(|step| format!("“{step}” was injected and not undone"));
        let namespace = self.namespace.iter();
        let namespace = namespace.map(|(name, _)| format!("namespace {name} was not deleted"));
        let all: Vec<String> = faults.chain(namespace).collect();
        Some(all.join(", "))
    }

    fn of(text: &str) -> Left {
        let entries = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        entries.fold(Left::default(), |mut left, entry| {
            match entry {
                Entry::Namespace { name, place } => left.namespace = Some((name, place)),
                Entry::Injecting { step, undo } => drop(left.faults.insert(step, undo)),
                Entry::Undone { step } => drop(left.faults.remove(&step)),
                Entry::Clean => return Left::default(),
            }
            left
        })
    }

    /// Whether nothing is left.
    pub fn is_nothing(&self) -> bool {
        *self == Left::default() || matches!(self.namespace, Some((_, Place::Embedded)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entries: &[Entry]) -> (tempfile::TempDir, Left) {
        let run = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(run.path()).unwrap();
        for entry in entries {
            journal.write(entry).unwrap();
        }
        let left = Left::read(run.path()).unwrap();
        (run, left)
    }

    fn namespace() -> Entry {
        let place = Place::Kube {
            kubeconfig: None,
            context: Some("dev".into()),
        };
        Entry::Namespace {
            name: "mybnb-1".into(),
            place,
        }
    }

    fn injecting() -> Entry {
        Entry::Injecting {
            step: "auth-down".into(),
            undo: Change::Nothing,
        }
    }

    #[test]
    fn what_was_begun_and_not_ended_is_left() {
        let (_run, left) = written(&[namespace(), injecting()]);
        assert_eq!(left.namespace.as_ref().unwrap().0, "mybnb-1");
        assert_eq!(left.faults.keys().collect::<Vec<_>>(), ["auth-down"]);
        assert!(!left.is_nothing());
        assert_eq!(
            left.words().unwrap(),
            "“auth-down” was injected and not undone, namespace mybnb-1 was not deleted"
        );
    }

    #[test]
    fn what_was_undone_and_cleaned_is_not() {
        let (_run, left) = written(&[
            namespace(),
            injecting(),
            Entry::Undone {
                step: "auth-down".into(),
            },
        ]);
        assert!(left.faults.is_empty() && !left.is_nothing());
        let (_run, left) = written(&[namespace(), injecting(), Entry::Clean]);
        assert!(left.is_nothing());
        assert!(Left::read(Path::new("/nowhere")).unwrap().is_nothing());
    }

    #[test]
    fn what_is_no_file_or_has_no_end_is_refused() {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join(FILE)).unwrap();
        let refused = Left::read(run.path()).unwrap_err().to_string();
        assert_eq!(refused, "the journal is not a regular file");
        std::fs::remove_dir(run.path().join(FILE)).unwrap();
        let file = File::create(run.path().join(FILE)).unwrap();
        file.set_len(LENGTH_MAX + 2).unwrap();
        assert!(Left::read(run.path()).is_err());
    }

    #[test]
    fn a_torn_last_line_is_skipped() {
        let whole = serde_json::to_string(&namespace()).unwrap();
        let left = Left::of(&format!("{whole}\n{{\"entry\":\"clea"));
        assert!(left.namespace.is_some());
    }
}
