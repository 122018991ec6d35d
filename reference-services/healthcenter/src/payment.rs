//! payment — takes the money for an order, and gives it back.

use crate::events::{self, Happened};
use kernel::{Collection, Effect, Env, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// The status of money that was given back.
const CANCELED: &str = "Pay Canceled";
/// The ways of paying that mean giving back **\[S, the first\]**: it is defined so, in place of a field that says what to do.
const CANCELING: [&str; 2] = ["cancle", "cancel"];

/// A payment, or the giving back of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PaymentHistory {
    order_id: i64,
    price: Option<i64>,
    pay_method: Option<String>,
    status: Option<String>,
}

/// The service. A payment takes `PAYMENT_DELAY`, and by chance up to `PAYMENT_DELAY_SPREAD` more: 400 ms and 220 ms in the report.
pub fn service(env: &Env) -> Service {
    let least = env.or("PAYMENT_DELAY", Duration::ZERO);
    let most = least + env.or("PAYMENT_DELAY_SPREAD", Duration::ZERO);
    let payments = Collection::new("paymentHistories", "paymentHistory")
        .completing(completed)
        .on_create(move |id, payment: &PaymentHistory| {
            if payment.is_cancel() {
                given_back(payment.order_id)
            } else {
                let approved = Happened::PaymentApproved(payment.told(id)).told();
                vec![Effect::wait(least, most), approved]
            }
        });
    Service::new("payment")
        .collection::<PaymentHistory>(payments)
        .on_event(on_event)
}

fn completed(payment: PaymentHistory) -> PaymentHistory {
    let is_cancel = payment.is_cancel();
    PaymentHistory {
        status: is_cancel.then(|| CANCELED.to_owned()).or(payment.status),
        ..payment
    }
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::OrderCanceled(order) => given_back(order.id),
        Happened::OrderFailed(subject) => given_back(subject.order_id),
        _ => vec![],
    }
}

/// Everything that was paid for the order and not given back yet.
fn given_back(order_id: i64) -> Vec<Effect> {
    let one = |row: &Row| {
        let payment = events::Payment {
            status: Some(CANCELED.to_owned()),
            ..row.typed::<PaymentHistory>().told(row.id)
        };
        [
            Effect::change(
                "paymentHistories",
                "id",
                row.id,
                json!({"status": CANCELED}),
            ),
            Happened::PaymentCanceled(payment).told(),
        ]
    };
    let is_kept = |row: &&Row| row.typed::<PaymentHistory>().status.as_deref() != Some(CANCELED);
    vec![Effect::look(
        "paymentHistories",
        "orderId",
        order_id,
        move |rows| rows.iter().filter(is_kept).flat_map(one).collect(),
    )]
}

impl PaymentHistory {
    fn is_cancel(&self) -> bool {
        let method = self.pay_method.as_deref();
        method.is_some_and(|method| CANCELING.contains(&method))
    }

    /// As the report's: `Pay Approved!!` is set first, and overwritten by the payment's own status when its fields are copied.
    fn told(&self, id: i64) -> events::Payment {
        let PaymentHistory {
            order_id,
            price,
            pay_method,
            status,
        } = self.clone();
        events::Payment {
            id,
            order_id,
            price,
            pay_method,
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{looked, row};

    fn payment(pay_method: &str, status: &str) -> PaymentHistory {
        PaymentHistory {
            order_id: 7,
            pay_method: Some(pay_method.into()),
            status: Some(status.into()),
            ..PaymentHistory::default()
        }
    }

    #[test]
    fn what_was_paid_for_an_order_is_given_back_once() {
        let subject = events::Subject { order_id: 7 };
        let effects = on_event(&Happened::OrderFailed(subject));
        let paid = row(3, &json!(payment("card", "Reservation OK")));
        let gone = row(4, &json!(payment("card", CANCELED)));
        let change = Effect::change("paymentHistories", "id", 3, json!({"status": CANCELED}));
        let told = Happened::PaymentCanceled(payment("card", CANCELED).told(3)).told();
        assert_eq!(looked(&effects, &[paid, gone.clone()]), [change, told]);
        assert_eq!(looked(&effects, &[gone]), []);
    }

    #[test]
    fn a_payment_by_cancle_gives_back_and_is_noted_as_that() {
        for word in ["cancle", "cancel"] {
            assert_eq!(completed(payment(word, "")), payment(word, CANCELED));
        }
        assert_eq!(completed(payment("card", "")), payment("card", ""));
    }
}
