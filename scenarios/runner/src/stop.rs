//! How a run is asked to end early.
use std::sync::Arc;
use tokio::sync::watch;

/// Asks a run to stop and undo. Clones ask the same run; asking twice changes nothing.
#[derive(Debug, Clone)]
pub struct Stop {
    by: Arc<watch::Sender<Option<String>>>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop {
            by: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Stop {
    /// Asks, naming who does: `SIGINT`, `SIGTERM`, `deadline`.
    pub fn ask(&self, by: &str) {
        self.by.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert_with(|| by.into());
            first
        });
    }

    /// Who asked, if anybody did.
    pub fn asked(&self) -> Option<String> {
        self.by.borrow().clone()
    }

    /// Waits until somebody asks.
    pub async fn wait(&self) -> String {
        let mut by = self.by.subscribe();
        let asked = by
            .wait_for(Option::is_some)
            .await
            .expect("the sender lives as long as self");
        asked.clone().unwrap_or_default()
    }
}
