//! dr — starts and ends orders: the administrator's part.

use crate::events::{Happened, Order};
use crate::rows::{asked_for, entity, found};
use kernel::{Asked, Collection, Effect, Method, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A demand-response order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dr {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    date: String,
}

/// Which order is to be ended.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct End {
    id: i64,
}

/// The service. An order is started by `POST /startdr` **\[S\]** or, as any row, by `POST /drs`; it is ended by `POST /enddr`,
/// `PUT /drs/{id}/enddr` or a change of its status to `ended`.
pub fn service() -> Service {
    let drs = Collection::new("drs", "dr")
        .completing(begun)
        .on_create(|id, dr: &Dr| match refused(dr) {
            Some(refusal) => vec![refusal],
            None => vec![Happened::DRstarted(dr.told(id)).told()],
        })
        .on_update(on_update)
        .on_delete(on_delete);
    Service::new("dr")
        .collection::<Dr>(drs)
        .operation(Method::POST, "/startdr", start)
        .operation(Method::POST, "/enddr", |asked| match asked.resource() {
            Ok(End { id }) => found("drs", id, end),
            Err(refusal) => vec![refusal.into()],
        })
        .operation(Method::PUT, "/drs/{id}/enddr", |asked| {
            asked_for(asked, "drs", end)
        })
}

fn begun(dr: Dr) -> Dr {
    let status = if dr.status.is_empty() {
        "running".to_owned()
    } else {
        dr.status
    };
    Dr { status, ..dr }
}

/// What is over cannot begin: nobody could end it.
fn refused(dr: &Dr) -> Option<Effect> {
    dr.is_ended()
        .then(|| Effect::refuse(400, "an order cannot begin ended"))
}

fn start(asked: &Asked) -> Vec<Effect> {
    let dr = match asked.resource() {
        Ok(dr) => begun(dr),
        Err(refusal) => return vec![refusal.into()],
    };
    if let Some(refusal) = refused(&dr) {
        return vec![refusal];
    }
    let started = dr.clone();
    vec![Effect::create("drs", &dr, move |id| {
        vec![
            Happened::DRstarted(started.told(id)).told(),
            Effect::reply_created(&entity(id, &started)),
        ]
    })]
}

fn end(id: i64, was: Dr) -> Vec<Effect> {
    let is = Dr {
        status: "ended".to_owned(),
        ..was.clone()
    };
    if was.is_ended() {
        return vec![ended_before(id)];
    }
    vec![
        Effect::change("drs", "id", id, json!({"status": is.status})),
        Happened::DrEnded(is.told(id)).told(),
        Effect::reply(&entity(id, &is)),
    ]
}

fn on_update(id: i64, was: &Dr, is: &Dr) -> Vec<Effect> {
    match (was.is_ended(), is.is_ended()) {
        (false, true) => vec![Happened::DrEnded(is.told(id)).told()],
        (true, false) => vec![ended_before(id)],
        _ => vec![],
    }
}

/// Customers would answer for ever to an order that is gone before it ended.
fn on_delete(id: i64, dr: &Dr) -> Vec<Effect> {
    if dr.is_ended() {
        vec![]
    } else {
        vec![Effect::refuse(409, format!("order {id} has not ended"))]
    }
}

fn ended_before(id: i64) -> Effect {
    Effect::refuse(409, format!("order {id} has ended"))
}

impl Dr {
    fn is_ended(&self) -> bool {
        self.status == "ended"
    }

    fn told(&self, id: i64) -> Order {
        let Dr {
            name,
            kind,
            status,
            date,
        } = self.clone();
        Order {
            id,
            name,
            kind,
            status,
            date,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dr(status: &str) -> Dr {
        Dr {
            name: "kt".into(),
            kind: "reliable".into(),
            status: status.into(),
            date: "2024-10-08".into(),
        }
    }

    #[test]
    fn an_order_runs_unless_its_sender_says_otherwise() {
        assert_eq!(begun(dr("")), dr("running"));
        assert_eq!(begun(dr("planned")), dr("planned"));
    }

    #[test]
    fn an_order_ends_once_and_it_is_told() {
        let ended = Happened::DrEnded(dr("ended").told(7)).told();
        let change = Effect::change("drs", "id", 7, json!({"status": "ended"}));
        let body = json!({"id": 7, "name": "kt", "type": "reliable", "status": "ended", "date": "2024-10-08"});
        assert_eq!(
            end(7, dr("running")),
            [change, ended.clone(), Effect::reply(&body)]
        );
        let refused = [Effect::refuse(409, "order 7 has ended")];
        assert_eq!(end(7, dr("ended")), refused);
        assert_eq!(on_update(7, &dr("running"), &dr("ended")), [ended]);
        assert_eq!(on_update(7, &dr("ended"), &dr("running")), refused);
        assert_eq!(on_update(7, &dr("ended"), &dr("ended")), []);
    }

    #[test]
    fn only_an_order_that_has_ended_can_be_deleted() {
        let refused = Effect::refuse(409, "order 7 has not ended");
        assert_eq!(on_delete(7, &dr("running")), [refused]);
        assert_eq!(on_delete(7, &dr("ended")), []);
    }
}
