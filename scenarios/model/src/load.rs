//! The traffic of a plan. It is data: the load worker, a pod, reads it and sends it.
use crate::{Expected, Micros, saved::Save};
use serde::{Deserialize, Serialize};

/// One stream of requests from one load worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Who sends when: users in a loop, or arrivals at a rate.
    pub model: LoadModel,
    /// Each request on a connection of its own (siege's default), or kept alive.
    pub connection: Connection,
    /// The limit of one request, connecting and reading included.
    pub timeout: Micros,
    /// True where the load replays a siege command: its summary and its early ends are computed as well.
    pub siege: bool,
    /// The requests, sent in this order by each user and over again.
    pub requests: Vec<Request>,
    /// A user of a closed load waits so long after each answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<Micros>,
    /// The load itself is what hurts: without its fault, an experiment is one without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stress: bool,
}

/// Who sends the next request, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum LoadModel {
    /// Users that each send, wait for the answer and send again; a slow answer slows the load. Driven by goose.
    Closed {
        /// How many users.
        users: u32,
        /// How long; with both this and `repetitions`, time wins, as in siege.
        duration: Option<Micros>,
        /// How many rounds through the requests per user.
        repetitions: Option<u32>,
        /// A ceiling in requests per second over all users.
        max_rate: Option<u32>,
    },
    /// Requests that are due at a rate, whatever became of those before.
    Open {
        /// One stage after the other.
        stages: Vec<Stage>,
        /// At most so many unanswered at once; what is due beyond is recorded as dropped.
        in_flight_max: u32,
    },
}

/// A stretch of constant rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Requests per second.
    pub rate: f64,
    /// How long.
    pub duration: Micros,
}

/// Whether requests share connections. Against a Service it decides what is balanced: semantics.md 4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Connection {
    /// One connection a request.
    New,
    /// Kept alive, one a user.
    Reused,
}

/// One request. `{{seq}}` in `url`, `body` and `key` becomes a number that no other request of this load has; `{{name}}` in `url`,
/// `headers` and `body` what was [saved](Save) under that name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// How reports call it.
    pub name: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// With a name of the cluster: `http://review:8080/reviews`.
    pub url: String,
    /// Header names and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The key under which an acknowledged write of this request can be found again; recorded with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Keep the answer's body in the timeline (at most [`BODY_MAX`] bytes of it). Bodies of failed requests are always kept.
    #[serde(default)]
    pub keep_body: bool,
    /// What of its answer later requests use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub save: Vec<Save>,
    /// In a list of requests: asked again for so long, until the answer is as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
    /// In a load: so often one after the other in each round; once, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// In a load: what each answer must be to be a good one. `{{seq}}` and what was saved stand in it as in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
}

/// So much of an answer's body is kept, in bytes: enough for every body the scenarios compare.
pub const BODY_MAX: usize = 8 * 1024;

impl Load {
    /// One round through the requests, by their indexes: each as often as its weight says.
    pub fn round(&self) -> Vec<usize> {
        let repeated = |(index, request): (usize, &Request)| {
            std::iter::repeat_n(index, request.weight.unwrap_or(1) as usize)
        };
        self.requests
            .iter()
            .enumerate()
            .flat_map(repeated)
            .collect()
    }

    /// How many requests a round has.
    fn round_length(&self) -> u64 {
        let weights = self.requests.iter().map(|r| r.weight.unwrap_or(1));
        weights.map(u64::from).sum()
    }

    /// Nothing is sent: what the mutant without faults makes of a load that hurts.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.model, LoadModel::Open { stages, .. } if stages.is_empty())
    }

    /// How long the load shall last, where that is planned and not a number of repetitions.
    pub fn duration(&self) -> Option<Micros> {
        match &self.model {
            LoadModel::Closed { duration, .. } => *duration,
            LoadModel::Open { stages, .. } => Some(stages.iter().map(|s| s.duration).sum()),
        }
    }

    /// How many requests are planned, where that is known beforehand.
    pub fn planned_requests(&self) -> Option<u64> {
        match &self.model {
            LoadModel::Closed {
                duration: Some(_), ..
            } => None,
            LoadModel::Closed {
                users, repetitions, ..
            } => repetitions.map(|r| {
                let rounds = u64::from(*users) * u64::from(r);
                rounds.saturating_mul(self.round_length())
            }),
            LoadModel::Open { stages, .. } => {
                let each = stages
                    .iter()
                    .map(|s| (s.rate * s.duration.as_secs_f64()).round() as u64);
                Some(each.fold(0, u64::saturating_add))
            }
        }
    }
}
