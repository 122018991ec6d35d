//! Takes away what killed runs left behind, by their journals.
use crate::run::REMOVAL_MAX;
use chaos::{Entry, Journal, Left, Place};
use cluster::Cluster;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What became of one run's remains.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// The run's folder.
    pub run: PathBuf,
    /// What was taken away, or why it could not be.
    pub result: Result<String, String>,
}

/// Looks through all run folders and takes away what is left of them. Runs that left nothing are not in the answer.
///
/// # Errors
/// When the folder of runs cannot be read.
pub async fn recover(runs: &Path) -> io::Result<Vec<Recovered>> {
    let mut recovered = vec![];
    for run in folders(runs)? {
        let left = Left::read(&run)?;
        if let (false, Some((namespace, place))) = (left.is_nothing(), &left.namespace) {
            let result = remove(namespace, place).await;
            if result.is_ok() {
                Journal::open(&run)?.write(&Entry::Clean)?;
            }
            recovered.push(Recovered { run, result });
        }
    }
    Ok(recovered)
}

async fn remove(namespace: &str, place: &Place) -> Result<String, String> {
    let Place::Kube {
        kubeconfig,
        context,
    } = place
    else {
        return Ok("an embedded cluster ends with its process".into());
    };
    let removed = async {
        let cluster = Cluster::connect(kubeconfig.as_deref(), context.as_deref()).await?;
        cluster.delete_namespace(namespace, REMOVAL_MAX).await
    };
    removed.await.map_err(|e| e.to_string())?;
    Ok(format!("namespace {namespace} is deleted"))
}

/// Run folders, one scenario's arms included: every folder with a journal, two levels deep.
fn folders(runs: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![];
    let mut level = vec![runs.to_path_buf()];
    for _ in 0..=2 {
        let mut next = vec![];
        for folder in level {
            let entries = match std::fs::read_dir(&folder) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    next.push(path);
                } else if path.file_name().is_some_and(|n| n == chaos::journal::FILE) {
                    found.push(folder.clone());
                }
            }
        }
        level = next;
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_done_about_runs_that_left_nothing() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join("r1").join("main");
        std::fs::create_dir_all(&run).unwrap();
        let mut journal = Journal::open(&run).unwrap();
        journal
            .write(&Entry::Namespace {
                name: "n".into(),
                place: Place::Embedded,
            })
            .unwrap();
        assert_eq!(recover(runs.path()).await.unwrap(), []);
        assert_eq!(recover(&runs.path().join("none")).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_reached_is_said() {
        let runs = tempfile::tempdir().unwrap();
        let place = Place::Kube {
            kubeconfig: Some("/nowhere/config".into()),
            context: None,
        };
        let mut journal = Journal::open(runs.path()).unwrap();
        journal
            .write(&Entry::Namespace {
                name: "n".into(),
                place,
            })
            .unwrap();
        let [recovered] = &recover(runs.path()).await.unwrap()[..] else {
            panic!()
        };
        assert!(
            recovered
                .result
                .as_ref()
                .unwrap_err()
                .contains("kubeconfig")
        );
    }
}
