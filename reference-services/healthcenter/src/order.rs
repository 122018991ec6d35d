//! order — takes applications for check-ups. An application that was not paid for never existed; one that is cancelled is kept as deleted.

use crate::configuration;
use crate::events::{self, Happened, Subject};
use kernel::{Call, Collection, Effect, Env, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The status of an order that was cancelled.
const DELETED: &str = "deleted";
/// The statuses with which a customer cancels.
const CANCELING: [&str; 5] = ["canceled", "cancelled", "cancel", "cancle", DELETED];

/// An application for a check-up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Order {
    order_type: Option<String>,
    card_no: Option<i64>,
    name: Option<String>,
    status: Option<String>,
}

/// An application that came to nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Failure {
    order_id: i64,
}

/// The service. An order is cancelled by its deletion or a change of its status; with `CANCEL_ON_ANY_UPDATE=true` by every change, as in
/// the report.
pub fn service(env: &Env) -> Service {
    let is_any = env.or("CANCEL_ON_ANY_UPDATE", false);
    let orders = Collection::new("orders", "order")
        .completing(|order| Order {
            status: None,
            ..order
        })
        .revising(move |was: &Order, is| revised(was, is, is_any))
        .remains(Order::deleted)
        .on_create(on_create)
        .on_update(on_update);
    let service = Service::new("order")
        .calls("payment")
        .collection::<Order>(orders)
        .collection(Collection::<Failure>::new("failures", "failure").internal())
        .on_event(on_event);
    configuration::told(service, &["key1", "key2", "password"], env)
}

/// Paid for at once, or not taken. If payment does not agree it hears of it all the same: a call that seemed to fail may have been heeded.
fn on_create(id: i64, order: &Order) -> Vec<Effect> {
    let payment = json!({"orderId": id, "status": "Reservation OK"});
    vec![
        Effect::Log(format!("this.id() : {id}")),
        Happened::OrderFailed(Subject { order_id: id }).told_on_failure(),
        Call::post("payment", "/paymentHistories", &payment).into(),
        Happened::Ordered(order.told(id)).told(),
    ]
}

fn revised(was: &Order, is: Order, is_any: bool) -> Order {
    let asks_for_it = |order: &Order| {
        let status = order.status.as_deref();
        status.is_some_and(|status| CANCELING.contains(&status))
    };
    if was.is_deleted() || is_any || asks_for_it(&is) {
        is.deleted()
    } else {
        is
    }
}

/// A cancelled order is paid back at once, or not cancelled.
fn on_update(id: i64, was: &Order, is: &Order) -> Vec<Effect> {
    match (was.is_deleted(), is.is_deleted()) {
        (true, _) if was == is => vec![],
        (true, _) => vec![Effect::refuse(409, "a deleted order stays as it is")],
        (false, false) => vec![],
        (false, true) => {
            let back = json!({"orderId": id, "payMethod": "cancle"});
            vec![
                Effect::Log("Order Cancel  !!".to_owned()),
                Call::post("payment", "/paymentHistories", &back).into(),
                Happened::OrderCanceled(is.told(id)).told(),
            ]
        }
    }
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::OrderFailed(Subject { order_id }) => {
            let failure = json!({"orderId": order_id});
            vec![Effect::upsert("failures", "orderId", *order_id, failure)]
        }
        Happened::PaymentApproved(payment) => too_late(payment.order_id),
        // Whoever cancels, all is cancelled.
        Happened::PaymentCanceled(payment) => canceled(payment.order_id),
        Happened::ReservationCanceled(reservation) => canceled(reservation.order_id),
        _ => vec![],
    }
}

/// A payment for an order that failed or was cancelled meanwhile: it is told again, for payment was not done when it was told first.
fn too_late(order_id: i64) -> Vec<Effect> {
    let failed = Effect::look("failures", "orderId", order_id, move |rows| {
        let again = Happened::OrderFailed(Subject { order_id }).told();
        (!rows.is_empty()).then_some(again).into_iter().collect()
    });
    let deleted = Effect::look("orders", "id", order_id, move |rows| {
        let orders = rows.iter().map(Row::typed::<Order>);
        let deleted = orders.filter(Order::is_deleted);
        deleted
            .map(|order| Happened::OrderCanceled(order.told(order_id)).told())
            .collect()
    });
    vec![failed, deleted]
}

fn canceled(order_id: i64) -> Vec<Effect> {
    vec![Effect::look("orders", "id", order_id, move |rows| {
        let orders = rows.iter().map(Row::typed::<Order>);
        let kept = orders.filter(|order| !order.is_deleted());
        kept.flat_map(|order| {
            let told = Happened::OrderCanceled(order.deleted().told(order_id)).told();
            let change = Effect::change("orders", "id", order_id, json!({"status": DELETED}));
            [change, told]
        })
        .collect()
    })]
}

impl Order {
    fn is_deleted(&self) -> bool {
        self.status.as_deref() == Some(DELETED)
    }

    fn deleted(self) -> Order {
        Order {
            status: Some(DELETED.to_owned()),
            ..self
        }
    }

    fn told(&self, id: i64) -> events::Order {
        let Order {
            order_type,
            card_no,
            name,
            status,
        } = self.clone();
        events::Order {
            id,
            order_type,
            card_no,
            name,
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::row;

    fn order(status: Option<&str>) -> Order {
        Order {
            order_type: Some("basic".into()),
            status: status.map(str::to_owned),
            ..Order::default()
        }
    }

    #[test]
    fn an_order_is_paid_with_the_stated_body_and_told_after_that() {
        let call = Call {
            callee: "payment",
            path: "/paymentHistories".into(),
            body: json!({"orderId": 7, "status": "Reservation OK"}),
        };
        let expected = [
            Effect::Log("this.id() : 7".into()),
            Happened::OrderFailed(Subject { order_id: 7 }).told_on_failure(),
            call.into(),
            Happened::Ordered(order(None).told(7)).told(),
        ];
        assert_eq!(on_create(7, &order(None)), expected);
    }

    #[test]
    fn a_cancelled_status_deletes_and_so_does_every_change_where_that_is_wanted() {
        let was = order(None);
        for status in CANCELING {
            let is = revised(&was, order(Some(status)), false);
            assert_eq!(is, order(Some(DELETED)));
        }
        assert_eq!(revised(&was, order(Some("x")), false), order(Some("x")));
        assert_eq!(revised(&was, order(Some("x")), true), order(Some(DELETED)));
    }

    #[test]
    fn a_cancellation_is_told_once_and_a_deleted_order_stays_as_it_is() {
        let (was, is) = (order(None), order(Some(DELETED)));
        let effects = on_update(7, &was, &is);
        assert_eq!(effects[0], Effect::Log("Order Cancel  !!".into()));
        assert_eq!(effects[2], Happened::OrderCanceled(is.told(7)).told());
        assert_eq!(on_update(7, &is, &is), []);
        let renamed = Order {
            name: Some("woo".into()),
            ..is.clone()
        };
        assert!(matches!(
            on_update(7, &is, &renamed)[..],
            [Effect::Refuse(_)]
        ));
        assert_eq!(revised(&is, renamed.clone(), false), renamed);
    }

    #[test]
    fn a_payment_that_comes_too_late_is_given_back() {
        let follows = |effect: &Effect, rows: &[Row]| match effect {
            Effect::Look { then, .. } => then.given(rows),
            other => panic!("not a look: {other:?}"),
        };
        let effects = too_late(7);
        let failed = Happened::OrderFailed(Subject { order_id: 7 }).told();
        assert_eq!(
            follows(&effects[0], &[row(1, &json!({"orderId": 7}))]),
            [failed]
        );
        assert_eq!(follows(&effects[0], &[]), []);
        let deleted = order(Some(DELETED));
        let canceled = Happened::OrderCanceled(deleted.told(7)).told();
        assert_eq!(follows(&effects[1], &[row(7, &json!(deleted))]), [canceled]);
        assert_eq!(follows(&effects[1], &[row(7, &json!(order(None)))]), []);
    }
}
