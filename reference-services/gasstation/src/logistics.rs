//! logistics — delivers what was ordered. It is on its way at once, and delivered when the station says so.

use crate::events::{Happened, Placement, Shipment};
use crate::rows;
use kernel::{Collection, Effect, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// One order on its way, or there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delivery {
    delivery_id: i64,
    order_id: i64,
    product_id: String,
    qty: i64,
    dest_addr: String,
    status: String,
}

/// The service.
pub fn service() -> Service {
    Service::new("logistics")
        .collection(Collection::<Delivery>::new("deliveries", "delivery").index("orderId"))
        .collection(rows::numbers())
        .on_event(on_event)
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::OrderPlaced(order) => {
            let order = order.clone();
            vec![rows::numbered("deliveries", move |delivery_id| {
                shipped(delivery_id, &order)
            })]
        }
        Happened::ArrivalCompleted(arrival) => vec![Effect::change(
            "deliveries",
            "orderId",
            arrival.order_id,
            json!({"status": "received"}),
        )],
        _ => vec![],
    }
}

fn shipped(delivery_id: i64, order: &Placement) -> Vec<Effect> {
    let Placement {
        order_id,
        product_id,
        qty,
        dest_addr,
    } = order.clone();
    let shipment = Shipment {
        delivery_id,
        order_id,
        product_id,
        qty,
        dest_addr,
    };
    vec![
        Effect::save("deliveries", &delivery(&shipment)),
        Effect::publish(order_id, &Happened::Shipped(shipment)),
    ]
}

fn delivery(shipment: &Shipment) -> Delivery {
    let Shipment {
        delivery_id,
        order_id,
        product_id,
        qty,
        dest_addr,
    } = shipment.clone();
    Delivery {
        delivery_id,
        order_id,
        product_id,
        qty,
        dest_addr,
        status: "shipped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Arrival;

    #[test]
    fn what_is_ordered_is_shipped() {
        let order = Placement {
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 20_000,
            dest_addr: "SK_Imme_Station".into(),
        };
        let told = Shipment {
            delivery_id: 3,
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 20_000,
            dest_addr: "SK_Imme_Station".into(),
        };
        let stored = Delivery {
            delivery_id: 3,
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 20_000,
            dest_addr: "SK_Imme_Station".into(),
            status: "shipped".into(),
        };
        assert_eq!(
            shipped(3, &order),
            [
                Effect::save("deliveries", &stored),
                Effect::publish(7, &Happened::Shipped(told))
            ]
        );
    }

    #[test]
    fn what_has_arrived_is_received() {
        let arrival = Arrival {
            order_id: 7,
            ..Arrival::default()
        };
        let received = Effect::change("deliveries", "orderId", 7, json!({"status": "received"}));
        assert_eq!(on_event(&Happened::ArrivalCompleted(arrival)), [received]);
    }
}
