//! frontend — the administrator's screen, and the view behind it: every response with its order and its customer's points, one row a
//! response, made of events. So it can be looked at while the services are away.

use crate::events::{Check, Happened, Order, Response};
use kernel::{Collection, Effect, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A response as it is seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Overview {
    dr_id: String,
    dr_name: String,
    dr_type: String,
    dr_status: String,
    response_id: i64,
    user_id: i64,
    user_name: String,
    user_capacity: i64,
    point: i64,
    answer: String,
    reduced_amount: i64,
}

/// What is known of an order, whether there are responses to it or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KnownOrder {
    dr_id: String,
    dr_name: String,
    dr_type: String,
    dr_status: String,
}

/// How many points a customer has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KnownPoints {
    user_id: i64,
    point: i64,
}

/// The service.
pub fn service() -> Service {
    let known_orders = Collection::<KnownOrder>::new("knownOrders", "knownOrder");
    let known_points = Collection::<KnownPoints>::new("knownPoints", "knownPoint");
    Service::new("frontend")
        .page("/", include_str!("index.html"))
        .page("/index.html", include_str!("index.html"))
        .collection(Collection::<Overview>::new("overviews", "overview"))
        .collection(known_orders.internal())
        .collection(known_points.internal())
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::DRstarted(order) | Happened::DrEnded(order) => known(order),
        Happened::Listmade(response) => seen(response),
        Happened::AcceptChosen(response) | Happened::DenyChosen(response) => {
            vec![of_response(response.id, json!({"answer": response.answer}))]
        }
        Happened::ReductionCheck(check) => vec![of_response(check.response_id, found(check))],
        Happened::PointAdded(points) => {
            let set = json!({"point": points.point});
            vec![
                Effect::upsert("knownPoints", "userId", points.user_id, set.clone()),
                Effect::change("overviews", "userId", points.user_id, set),
            ]
        }
        Happened::Listsaved(_) | Happened::SomethingElse => vec![],
    }
}

fn known(order: &Order) -> Vec<Effect> {
    let dr_id = order.id.to_string();
    let set = json!({"drName": order.name, "drType": order.kind, "drStatus": order.status});
    vec![
        Effect::upsert("knownOrders", "drId", dr_id.as_str(), set.clone()),
        Effect::change("overviews", "drId", dr_id, set),
    ]
}

/// A row for a response, with what is known of its order and its customer.
fn seen(response: &Response) -> Vec<Effect> {
    let response = response.clone();
    let (dr_id, user_id) = (response.dr_id.clone(), response.user_id);
    vec![Effect::look("knownOrders", "drId", dr_id, move |orders| {
        let order: KnownOrder = orders.first().map(Row::typed).unwrap_or_default();
        let response = response.clone();
        vec![Effect::look(
            "knownPoints",
            "userId",
            user_id,
            move |points| {
                let known: KnownPoints = points.first().map(Row::typed).unwrap_or_default();
                let row = Overview::of(&response, &order, known.point);
                vec![of_response(response.id, json!(row))]
            },
        )]
    })]
}

fn of_response(response_id: i64, set: Value) -> Effect {
    Effect::upsert("overviews", "responseId", response_id, set)
}

/// What is not saved was not complied with.
fn found(check: &Check) -> Value {
    if check.is_real {
        json!({"reducedAmount": check.reduced_amount})
    } else {
        json!({"answer": "deny"})
    }
}

impl Overview {
    fn of(response: &Response, order: &KnownOrder, point: i64) -> Overview {
        let Response {
            id: response_id,
            user_id,
            user_name,
            dr_id,
            answer,
            user_capacity,
        } = response.clone();
        let KnownOrder {
            dr_name,
            dr_type,
            dr_status,
            ..
        } = order.clone();
        Overview {
            dr_id,
            dr_name,
            dr_type,
            dr_status,
            response_id,
            user_id,
            user_name,
            user_capacity,
            point,
            answer,
            reduced_amount: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::{looked, row};

    #[test]
    fn a_response_is_seen_with_its_order_and_its_customers_points() {
        let response = Response {
            id: 2,
            user_id: 7,
            user_name: "강감찬".into(),
            dr_id: "1".into(),
            answer: "ignore".into(),
            user_capacity: 100,
        };
        let effects = on_event(&Happened::Listmade(response));
        let order =
            json!({"drId": "1", "drName": "kt", "drType": "reliable", "drStatus": "running"});
        let effects = looked(&effects, &[row(1, &order)]);
        let effects = looked(&effects, &[row(1, &json!({"userId": 7, "point": 40}))]);
        let expected = json!({
            "drId": "1", "drName": "kt", "drType": "reliable", "drStatus": "running", "responseId": 2,
            "userId": 7, "userName": "강감찬", "userCapacity": 100, "point": 40, "answer": "ignore", "reducedAmount": 0,
        });
        assert_eq!(effects, [of_response(2, expected)]);
    }

    #[test]
    fn a_check_is_seen_as_a_saving_or_as_a_denial() {
        let check = |is_real, reduced_amount| {
            on_event(&Happened::ReductionCheck(Check {
                response_id: 2,
                is_real,
                reduced_amount,
                ..Check::default()
            }))
        };
        assert_eq!(
            check(true, 60),
            [of_response(2, json!({"reducedAmount": 60}))]
        );
        assert_eq!(check(false, 0), [of_response(2, json!({"answer": "deny"}))]);
    }
}
