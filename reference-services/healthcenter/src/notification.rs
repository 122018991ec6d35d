//! notification — what the customer knows: the my-page, a view made of events with one row an order, and an SMS for every change of
//! state. The reports also call it `customer`.

pub mod sms;

use crate::configuration;
use crate::events::{Happened, Reservation};
use kernel::{Collection, Effect, Env, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sms::{Choice, Message};

/// An order as its customer sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mypage {
    name: Option<String>,
    order_id: i64,
    reservation_id: Option<i64>,
    status: Option<String>,
}

/// What is known of an order's reservation, whether the order is known or not: its payment is heard of before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Known {
    order_id: i64,
    reservation_id: Option<i64>,
    status: Option<String>,
}

/// The service. SMS go out by `SMS_ADAPTER`: `console` (the default), or `file`, which is `SMS_FILE`.
pub fn service(env: &Env) -> Service {
    let adapter = env.or("SMS_ADAPTER", Choice::Console).adapter(env);
    let service = Service::new("notification")
        .collection(Collection::<Mypage>::new("mypages", "mypage"))
        .collection(Collection::<Known>::new("knowns", "known").internal())
        .collection(Collection::<Message>::new("notifications", "notification"))
        .port("sms", move |what| {
            adapter.send(&Message::deserialize(what)?)
        })
        .on_event(on_event);
    configuration::told(service, &["TEXT1", "TEXT2", "COMPANY"], env)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::Ordered(order) => ordered(order.id, order.name.clone()),
        Happened::OrderCanceled(order) => vec![told_if_ordered(order.id, "deleted")],
        Happened::PaymentCanceled(payment) => {
            vec![told_if_ordered(payment.order_id, "Pay Canceled")]
        }
        Happened::ReservationCompleted(it)
        | Happened::ReservationConfirmed(it)
        | Happened::ReservationCanceled(it) => learned(it),
        _ => vec![],
    }
}

/// The order is seen, with what is known of its reservation.
fn ordered(order_id: i64, name: Option<String>) -> Vec<Effect> {
    vec![Effect::look("knowns", "orderId", order_id, move |rows| {
        let known: Known = rows.first().map(Row::typed).unwrap_or_default();
        let seen = Mypage {
            name: name.clone(),
            order_id,
            reservation_id: known.reservation_id,
            status: known.status.clone(),
        };
        let news = ["Ordered"].into_iter().chain(known.status.as_deref());
        let told = news.map(|news| told_once(order_id, news));
        [Effect::save("mypages", &seen)]
            .into_iter()
            .chain(told)
            .collect()
    })]
}

/// The view follows the latest reservation; where nothing was reserved, only the status changes.
fn learned(reservation: &Reservation) -> Vec<Effect> {
    let Reservation {
        id,
        order_id,
        status,
    } = reservation.clone();
    let mut set = json!({"status": status});
    if id != 0 {
        set["reservationId"] = id.into();
    }
    let news = status.unwrap_or_default();
    vec![
        Effect::upsert("knowns", "orderId", order_id, set.clone()),
        Effect::change("mypages", "orderId", order_id, set),
        told_if_ordered(order_id, &news),
    ]
}

/// Nobody is told of an order that came to nothing.
fn told_if_ordered(order_id: i64, news: &str) -> Effect {
    let news = news.to_owned();
    Effect::look("mypages", "orderId", order_id, move |rows| {
        let told = (!rows.is_empty()).then(|| told_once(order_id, &news));
        told.into_iter().collect()
    })
}

/// One SMS for each state of an order, however often it is heard of.
fn told_once(order_id: i64, news: &str) -> Effect {
    let message = Message {
        order_id,
        message: format!("Order {order_id}: {news}"),
    };
    Effect::look("notifications", "orderId", order_id, move |rows| {
        if rows.iter().any(|row| row.typed::<Message>() == message) {
            return vec![];
        }
        vec![
            Effect::save("notifications", &message),
            Effect::deliver("sms", &message),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{looked, row};

    fn reservation(id: i64, status: &str) -> Reservation {
        Reservation {
            id,
            order_id: 7,
            status: Some(status.into()),
        }
    }

    #[test]
    fn an_order_is_seen_with_what_was_heard_of_its_reservation_before() {
        let effects = ordered(7, Some("woo".into()));
        let page = |known: serde_json::Value| {
            let mut page =
                json!({"name": "woo", "orderId": 7, "reservationId": null, "status": null});
            page.as_object_mut()
                .unwrap()
                .extend(known.as_object().unwrap().clone());
            Effect::save("mypages", &page)
        };
        let fresh = looked(&effects, &[]);
        assert_eq!((&fresh[0], fresh.len()), (&page(json!({})), 2));
        let known = json!({"reservationId": 5, "status": "Reservation Complete"});
        let late = looked(&effects, &[row(1, &known)]);
        assert_eq!((&late[0], late.len()), (&page(known), 3));
    }

    #[test]
    fn the_view_follows_the_latest_reservation() {
        let set = json!({"status": "confirmed", "reservationId": 3});
        let effects = on_event(&Happened::ReservationConfirmed(reservation(3, "confirmed")));
        assert_eq!(effects[1], Effect::change("mypages", "orderId", 7, set));
        let set = json!({"status": "Reservation Canceled"});
        let none = reservation(0, "Reservation Canceled");
        let effects = on_event(&Happened::ReservationCanceled(none));
        assert_eq!(effects[1], Effect::change("mypages", "orderId", 7, set));
    }

    #[test]
    fn an_sms_is_sent_once_and_only_about_an_order_there_is() {
        let told = told_if_ordered(7, "confirmed");
        assert_eq!(looked(std::slice::from_ref(&told), &[]), []);
        let then = looked(&[told], &[row(1, &json!({"orderId": 7}))]);
        let message = json!({"orderId": 7, "message": "Order 7: confirmed"});
        let sent = [
            Effect::save("notifications", &message),
            Effect::deliver("sms", &message),
        ];
        assert_eq!(looked(&then, &[]), sent);
        assert_eq!(looked(&then, &[row(1, &message)]), []);
    }
}
