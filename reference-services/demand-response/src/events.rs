//! events — what happens in demand-response, as it is told on the topic. Capitals as in the report: `DRstarted`, but `DrEnded`.
//!
//! `drId` connects responses with an order, `responseId` a check with a response **\[S\]**. Everything about an order is published under
//! its id and stays in order; what concerns a customer's points, under the customer's.

use kernel::Effect;
use serde::{Deserialize, Serialize};

/// Everything that is told. Whoever is not interested in an event does not match it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Happened {
    /// An order began.
    DRstarted(Order),
    /// It is over.
    DrEnded(Order),
    /// A response was stored.
    Listmade(Response),
    /// It was stored, or its order is over: `phase` says which.
    Listsaved(Saved),
    /// A customer will comply.
    AcceptChosen(Response),
    /// A customer will not.
    DenyChosen(Response),
    /// The meter was looked at.
    ReductionCheck(Check),
    /// A customer has more points.
    PointAdded(Points),
    /// Told by a version that knows more.
    #[serde(other)]
    SomethingElse,
}

/// An order to use less.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// The order.
    pub id: i64,
    /// Whose it is, as `kt`.
    pub name: String,
    /// As `reliable`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `running`, then `ended`.
    pub status: String,
    /// Its day, `yyyy-MM-dd`.
    pub date: String,
}

/// A customer's answer to an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Response {
    /// The response.
    pub id: i64,
    /// The customer.
    pub user_id: i64,
    /// The customer's name.
    pub user_name: String,
    /// The order: its number, as a text **\[S\]**.
    pub dr_id: String,
    /// `ignore`, `accept` or `deny`.
    pub answer: String,
    /// How many kW the customer uses as a rule, and could do without.
    pub user_capacity: i64,
}

/// A response, and which of the two moments this is. The report's `Listsaved` does not say, so that whoever checks would check twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Saved {
    /// The response as it is.
    #[serde(flatten)]
    pub response: Response,
    /// `start` when it was stored, `end` when its order is over.
    pub phase: String,
}

/// What the meter showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Check {
    /// kepco's own id.
    pub id: i64,
    /// The response.
    pub response_id: i64,
    /// The customer.
    pub user_id: i64,
    /// The order.
    pub dr_id: String,
    /// Whether anything was saved.
    pub is_real: bool,
    /// How many kW.
    pub reduced_amount: i64,
}

/// A customer's points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Points {
    /// The customer.
    pub user_id: i64,
    /// For which response.
    pub response_id: i64,
    /// How many more.
    pub added: i64,
    /// How many now.
    pub point: i64,
}

impl Happened {
    /// Tells it, in order with everything else of its key.
    pub fn told(&self) -> Effect {
        Effect::publish(self.key(), self)
    }

    fn key(&self) -> String {
        match self {
            Happened::DRstarted(order) | Happened::DrEnded(order) => order.id.to_string(),
            Happened::Listmade(response)
            | Happened::AcceptChosen(response)
            | Happened::DenyChosen(response) => response.dr_id.clone(),
            Happened::Listsaved(saved) => saved.response.dr_id.clone(),
            Happened::ReductionCheck(check) => check.dr_id.clone(),
            Happened::PointAdded(points) => format!("user {}", points.user_id),
            Happened::SomethingElse => String::new(),
        }
    }
}
