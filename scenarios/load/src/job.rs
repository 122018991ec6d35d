//! What a worker is asked to do.
use model::rows::{Row, digest, text};
use model::{Expected, Load, Micros, Request};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The job of one worker; JSON in the environment variable [`JOB_VARIABLE`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LoadJob {
    /// Send a load.
    Load {
        /// Which.
        load: Load,
        /// The address at which the canary is asked meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        canary: Option<String>,
    },
    /// Send each request once, one after the other; what fails is recorded and the next is sent. Bodies are always kept.
    Requests {
        /// In this order, each on a connection of its own. One with a time it may take is sent again until it is as expected.
        requests: Vec<Request>,
        /// What is expected of each, in the same order; of one that is missing nothing is.
        #[serde(default)]
        expected: Vec<Expected>,
        /// The limit of each, connecting and reading included.
        timeout: Micros,
    },
    /// Read a list until it is whole.
    Collect {
        /// Which, and when it is.
        collect: CollectJob,
    },
    /// Ask pods what they have counted, again and again.
    Scrape {
        /// Whom, and how often.
        scrape: ScrapeJob,
    },
    /// Wait until each address is reached.
    Reach {
        /// With a name of the cluster: `http://host:port`, which must answer a request, or `host:port`, which must keep a connection.
        addresses: Vec<String>,
        /// Then the first that does not is why the job was cut short.
        timeout: Micros,
    },
}

/// Pods that are asked for their metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeJob {
    /// Where each pod may have them, as `address:port`, by its name.
    pub targets: BTreeMap<String, Vec<String>>,
    /// How often.
    pub every: Micros,
    /// After so many rounds it is over; else when no pod answers any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u64>,
}

/// A paged HAL list that is read over and over until it has enough entries and no longer changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectJob {
    /// The list; `page` and `size` are added to the query.
    pub url: String,
    /// Name of the list in `_embedded`.
    pub collection: String,
    /// The field with the key: text or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is kept of each entry: names with a member, `self` or a JSONPath.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// So many entries are waited for.
    pub until_total: u64,
    /// What else must be so of the entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<Until>,
    /// Two readings so far apart must be equal, once there are enough.
    pub settle: Micros,
    /// Then the last complete reading is what was found.
    pub timeout: Micros,
}

/// What a collection must come to before it is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Until {
    /// Every row has one of these values, as text, in this field.
    Each {
        /// The field.
        field: String,
        /// The values.
        values: Vec<String>,
    },
    /// The rows have this [digest](model::rows::digest) in these fields.
    Same {
        /// The fields.
        fields: Vec<String>,
        /// The digest.
        digest: u64,
    },
}

impl Until {
    /// Whether the rows are so.
    pub fn is_met(&self, rows: &[Row]) -> bool {
        match self {
            Until::Each { field, values } => {
                rows.iter().all(|row| values.contains(&text(row, field)))
            }
            Until::Same {
                fields,
                digest: wanted,
            } => digest(rows, fields) == *wanted,
        }
    }
}

/// Holds the job, or `@` and the path of a file that does.
pub const JOB_VARIABLE: &str = "BROWNOUT_LOAD";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_what_a_person_would_write() {
        let text = r#"{"do":"collect","collect":{"url":"http://alarm:8080/alarms","collection":"alarms","field":"receiver","untilTotal":1000,"settle":500000,"timeout":30000000}}"#;
        let job: LoadJob = serde_json::from_str(text).unwrap();
        assert!(matches!(&job, LoadJob::Collect { collect } if collect.until_total == 1000));
        assert_eq!(serde_json::to_string(&job).unwrap(), text);
    }
}
