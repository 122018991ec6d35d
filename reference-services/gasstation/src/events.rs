//! events — what happens in the chain, as it is told on the topic.
//!
//! Everything about one order is told by the order's id, everything about one sale by the sale's, so that it stays in order.

use serde::{Deserialize, Serialize};

/// Everything that is told. Whoever is not interested in an event does not match it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Happened {
    /// A station wants stock from headquarters. By order id.
    OrderPlaced(Placement),
    /// Logistics is bringing it. By order id.
    Shipped(Shipment),
    /// It has arrived at the station. By order id.
    ArrivalCompleted(Arrival),
    /// A till has sold something. By sale id.
    Sold(SaleMade),
    /// A till has taken it back. By sale id.
    SaleCanceled(SaleMade),
    /// A product costs something else from now on. By product id.
    PriceChanged(Price),
    /// Told by a version that knows more.
    #[serde(other)]
    SomethingElse,
}

/// What was ordered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// The order.
    pub order_id: i64,
    /// What: `CD1001`.
    pub product_id: String,
    /// How much.
    pub qty: i64,
    /// Where to: `SK_Imme_Station`.
    pub dest_addr: String,
}

/// What is on its way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shipment {
    /// The delivery.
    pub delivery_id: i64,
    /// The order.
    pub order_id: i64,
    /// What.
    pub product_id: String,
    /// How much.
    pub qty: i64,
    /// Where to.
    pub dest_addr: String,
}

/// What has arrived.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Arrival {
    /// The station's note of it.
    pub incoming_id: i64,
    /// The order.
    pub order_id: i64,
    /// What.
    pub product_id: String,
    /// How much.
    pub qty: i64,
}

/// What was sold, or taken back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SaleMade {
    /// The sale.
    pub sale_id: i64,
    /// What.
    pub product_id: String,
    /// How much.
    pub qty: i64,
    /// For how much money.
    pub amount: i64,
}

/// What a product costs. The station keeps its changes of price as it tells them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Price {
    /// What.
    pub product_id: String,
    /// One of it, in won.
    pub price: i64,
}
