//! order — headquarters. Takes orders for stock, sees them shipped and received, and learns what products cost.

mod identity;

use crate::events::{Happened, Placement};
use crate::rows;
use identity::Identity;
use kernel::effect::Reply;
use kernel::{Asked, Collection, Effect, Env, Method, Refusal, Service, hal};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An order for stock: `ordered`, `shipped`, then `received`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Order {
    order_id: i64,
    product_id: String,
    qty: i64,
    dest_addr: String,
    station_code: String,
    status: String,
}

/// What headquarters knows of a product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Product {
    product_id: String,
    name: String,
    price: i64,
}

/// The service, for the station the environment names.
pub fn service(env: &Env) -> Service {
    let identity = Identity::of(env);
    let told = identity.text();
    let code = identity.code().to_owned();
    let orders = Collection::new("orders", "order")
        .index("orderId")
        .completing(ordered)
        .on_create(move |id, order| on_create(id, order, &code));
    Service::new("order")
        .collection::<Order>(orders)
        .collection(rows::numbers())
        .collection(Collection::<Product>::new("products", "product"))
        .operation(Method::POST, "/orders/placeOrder", move |asked| {
            place_order(asked, identity.code())
        })
        .operation(Method::POST, "/orders/station", move |_| station(&told))
        .on_event(on_event)
}

/// Takes an order from a form: `productId=CD1001&qty=20000&destAddr=SK_Imme_Station`.
fn place_order(asked: &Asked, station_code: &str) -> Vec<Effect> {
    match order_of(asked) {
        Ok(order) => accepted(&order, station_code, |order| {
            vec![Effect::save("orders", order), Effect::reply(order)]
        }),
        Err(refusal) => vec![refusal.into()],
    }
}

fn order_of(asked: &Asked) -> Result<Order, Refusal> {
    let form = form_urlencoded::parse(asked.body.as_bytes()).into_owned();
    let form = Asked {
        parameters: asked.parameters.clone().into_iter().chain(form).collect(),
        ..asked.clone()
    };
    Ok(ordered(Order {
        product_id: form.text("productId")?.to_owned(),
        qty: form.number("qty")?,
        dest_addr: form.text("destAddr")?.to_owned(),
        ..Order::default()
    }))
}

/// An order that came as JSON has been stored already; it still needs its number.
fn on_create(id: i64, order: &Order, station_code: &str) -> Vec<Effect> {
    accepted(order, station_code, move |order| {
        let set = json!({"orderId": order.order_id, "stationCode": order.station_code});
        vec![Effect::change("orders", "id", id, set)]
    })
}

/// Numbers an order, has it stored, and tells of it.
fn accepted(
    order: &Order,
    station_code: &str,
    stored: impl Fn(&Order) -> Vec<Effect> + Send + Sync + 'static,
) -> Vec<Effect> {
    let unnumbered = Order {
        station_code: station_code.to_owned(),
        ..order.clone()
    };
    let numbered = rows::numbered("orders", move |order_id| {
        let order = Order {
            order_id,
            ..unnumbered.clone()
        };
        [stored(&order), vec![placed(&order)]].concat()
    });
    [rows::checked(&order.product_id, order.qty), vec![numbered]].concat()
}

/// Says whose headquarters this is. Not JSON, though it is called so **\[S\]**.
fn station(identity: &str) -> Vec<Effect> {
    vec![
        Effect::Log(format!("### 점포={identity}")),
        Effect::Reply(Reply {
            status: 200,
            content_type: hal::JSON,
            body: identity.to_owned(),
        }),
    ]
}

fn ordered(order: Order) -> Order {
    Order {
        status: "ordered".to_owned(),
        ..order
    }
}

fn placed(order: &Order) -> Effect {
    let Order {
        order_id,
        product_id,
        qty,
        dest_addr,
        ..
    } = order.clone();
    let placement = Placement {
        order_id,
        product_id,
        qty,
        dest_addr,
    };
    Effect::publish(order_id, &Happened::OrderPlaced(placement))
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::Shipped(shipment) => {
            vec![status(shipment.order_id, "shipped")]
        }
        Happened::ArrivalCompleted(arrival) => {
            vec![status(arrival.order_id, "received")]
        }
        Happened::PriceChanged(price) => vec![Effect::upsert(
            "products",
            "productId",
            price.product_id.as_str(),
            json!({"price": price.price}),
        )],
        _ => vec![],
    }
}

fn status(order_id: i64, status: &str) -> Effect {
    Effect::change("orders", "orderId", order_id, json!({"status": status}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Price;

    #[test]
    fn a_price_is_noted_for_its_product() {
        let price = Price {
            product_id: "CD1001".into(),
            price: 1_500,
        };
        let noted = Effect::upsert("products", "productId", "CD1001", json!({"price": 1_500}));
        assert_eq!(on_event(&Happened::PriceChanged(price)), [noted]);
    }

    #[test]
    fn the_station_is_logged_and_answered() {
        let [Effect::Log(line), Effect::Reply(reply)] = &station("SK Imme, ST0001")[..] else {
            panic!("a line and an answer")
        };
        assert_eq!(line, "### 점포=SK Imme, ST0001");
        assert_eq!(
            (reply.content_type, reply.body.as_str()),
            ("application/json;charset=UTF-8", "SK Imme, ST0001")
        );
    }

    #[test]
    fn an_order_is_told_by_its_id() {
        let order = Order {
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 20_000,
            dest_addr: "SK_Imme_Station".into(),
            ..Order::default()
        };
        let told = Placement {
            order_id: 7,
            product_id: "CD1001".into(),
            qty: 20_000,
            dest_addr: "SK_Imme_Station".into(),
        };
        let told = Effect::publish(7, &Happened::OrderPlaced(told));
        assert_eq!(placed(&order), told);
    }
}
