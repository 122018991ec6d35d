//! station — the shop. Keeps what is to come, what is there, what was sold, and says what things cost.

use crate::events::{Arrival, Happened, Price, SaleMade, Shipment};
use crate::rows;
use kernel::{Asked, Collection, Effect, Method, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is to come (`expected`), or has come (`completed`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Incoming {
    order_id: i64,
    product_id: String,
    qty: i64,
    status: String,
}

/// What is there: arrivals less sales. Below 0 when the till sold what had not arrived.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stock {
    product_id: String,
    qty: i64,
    price: i64,
}

/// What was sold of a product, and what it brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SalesSummary {
    product_id: String,
    sales_qty: i64,
    sales_amount: i64,
}

/// Nothing costs more, in won: what is sold of it stays far from the largest number there is.
const PRICE_MAX: i64 = 1_000_000;

/// Which way a sale goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sale {
    Made,
    TakenBack,
}

/// The service.
pub fn service() -> Service {
    let incomings = Collection::new("incomings", "incoming").on_update(on_update);
    let prices = Collection::new("prices", "price").on_create(on_price);
    Service::new("station")
        .collection::<Incoming>(incomings)
        .collection(Collection::<Stock>::new("stocks", "stock"))
        .collection(Collection::<SalesSummary>::new(
            "salesSummaries",
            "salesSummary",
        ))
        .collection::<Price>(prices)
        .operation(Method::POST, "/incomings/{id}/complete", complete)
        .on_event(on_event)
}

/// What was expected has arrived. Completed again, it is answered the same and nothing happens.
fn complete(asked: &Asked) -> Vec<Effect> {
    rows::asked_for(asked, "incomings", |id, was: Incoming| {
        let is = Incoming {
            status: "completed".to_owned(),
            ..was.clone()
        };
        let told = [
            rows::status("incomings", id, &is.status),
            rows::reply(id, &is),
        ];
        [on_update(id, &was, &is), told.to_vec()].concat()
    })
}

fn on_update(incoming_id: i64, was: &Incoming, is: &Incoming) -> Vec<Effect> {
    if !is.is_completed() || was.is_completed() {
        return vec![];
    }
    let Incoming {
        order_id,
        product_id,
        qty,
        ..
    } = was.clone();
    let arrival = Arrival {
        incoming_id,
        order_id,
        product_id,
        qty,
    };
    vec![
        in_stock(&was.product_id, qty),
        Effect::publish(order_id, &Happened::ArrivalCompleted(arrival)),
    ]
}

fn on_price(_id: i64, price: &Price) -> Vec<Effect> {
    if price.product_id.is_empty() || !(0..=PRICE_MAX).contains(&price.price) {
        let wanted = format!("productId, and a price from 0 to {PRICE_MAX}");
        return vec![Effect::refuse(400, wanted)];
    }
    let product = price.product_id.as_str();
    vec![
        Effect::upsert(
            "stocks",
            "productId",
            product,
            json!({"price": price.price}),
        ),
        Effect::publish(product, &Happened::PriceChanged(price.clone())),
    ]
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::Shipped(shipment) => vec![Effect::save("incomings", &expected(shipment))],
        Happened::Sold(sale) => counted(sale, Sale::Made),
        Happened::SaleCanceled(sale) => counted(sale, Sale::TakenBack),
        _ => vec![],
    }
}

fn expected(shipment: &Shipment) -> Incoming {
    Incoming {
        order_id: shipment.order_id,
        product_id: shipment.product_id.clone(),
        qty: shipment.qty,
        status: "expected".to_owned(),
    }
}

fn counted(sale: &SaleMade, way: Sale) -> Vec<Effect> {
    let (qty, amount) = match way {
        Sale::Made => (sale.qty, sale.amount),
        Sale::TakenBack => (-sale.qty, -sale.amount),
    };
    let summary = rows::of_product(
        "salesSummaries",
        &sale.product_id,
        move |is: SalesSummary| {
            json!({
                "salesQty": is.sales_qty.saturating_add(qty),
                "salesAmount": is.sales_amount.saturating_add(amount),
            })
        },
    );
    vec![in_stock(&sale.product_id, -qty), summary]
}

/// More of a product, or less.
fn in_stock(product_id: &str, more: i64) -> Effect {
    rows::of_product(
        "stocks",
        product_id,
        move |is: Stock| json!({"qty": is.qty.saturating_add(more)}),
    )
}

impl Incoming {
    fn is_completed(&self) -> bool {
        self.status == "completed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Row;

    fn sale() -> SaleMade {
        SaleMade {
            sale_id: 7,
            product_id: "CD1001".into(),
            qty: 30,
            amount: 45_000,
        }
    }

    /// What follows when a collection's row of the product holds these fields.
    fn given(effect: &Effect, fields: serde_json::Value) -> Vec<Effect> {
        let Effect::Look { then, .. } = effect else {
            panic!("{effect:?} looks at nothing")
        };
        let serde_json::Value::Object(fields) = fields else {
            panic!("{fields} is no row")
        };
        then.given(&[Row { id: 1, fields }])
    }

    fn set(collection: &'static str, fields: serde_json::Value) -> [Effect; 1] {
        [Effect::upsert(collection, "productId", "CD1001", fields)]
    }

    #[test]
    fn a_sale_takes_from_the_stock_and_adds_to_the_summary() {
        let effects = on_event(&Happened::Sold(sale()));
        assert_eq!(
            given(&effects[0], json!({"qty": 20_000})),
            set("stocks", json!({"qty": 19_970}))
        );
        assert_eq!(
            given(&effects[1], json!({"salesQty": 1, "salesAmount": 1_000})),
            set(
                "salesSummaries",
                json!({"salesQty": 31, "salesAmount": 46_000})
            )
        );
    }

    #[test]
    fn a_sale_taken_back_is_as_if_it_had_never_been() {
        let effects = on_event(&Happened::SaleCanceled(sale()));
        assert_eq!(
            given(&effects[0], json!({"qty": 19_970})),
            set("stocks", json!({"qty": 20_000}))
        );
        assert_eq!(
            given(&effects[1], json!({"salesQty": 30, "salesAmount": 45_000})),
            set("salesSummaries", json!({"salesQty": 0, "salesAmount": 0}))
        );
    }

    #[test]
    fn an_arrival_is_told_and_counted_once() {
        let expected = expected(&Shipment {
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 500,
            ..Shipment::default()
        });
        let completed = Incoming {
            status: "completed".into(),
            ..expected.clone()
        };
        let effects = on_update(3, &expected, &completed);
        assert_eq!(
            given(&effects[0], json!({"qty": 10})),
            set("stocks", json!({"qty": 510}))
        );
        let told = Arrival {
            incoming_id: 3,
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 500,
        };
        assert_eq!(
            effects[1..],
            [Effect::publish(7, &Happened::ArrivalCompleted(told))]
        );
        assert_eq!(on_update(3, &completed, &completed), []);
        assert_eq!(on_update(3, &expected, &expected), []);
    }

    #[test]
    fn a_price_is_told_by_its_product() {
        let price = Price {
            product_id: "CD1001".into(),
            price: 1_500,
        };
        let [stock] = set("stocks", json!({"price": 1_500}));
        let told = Effect::publish("CD1001", &Happened::PriceChanged(price.clone()));
        assert_eq!(on_price(1, &price), [stock, told]);
        assert!(matches!(
            on_price(1, &Price::default())[..],
            [Effect::Refuse(_)]
        ));
    }
}
