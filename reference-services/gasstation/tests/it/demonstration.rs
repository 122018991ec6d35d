//! The report's demonstration, items 1 to 5.

use crate::chain::{Chain, delivery, incoming, order};
use crate::world::{becomes, rows};
use serde_json::{Value, json};

#[tokio::test]
async fn item_1_an_order_becomes_a_delivery_and_an_expected_arrival() {
    let chain = Chain::start().await;
    chain.place(20_000).await;
    becomes(&chain.logistics, "deliveries", delivery(20_000, "shipped")).await;
    chain.expected(20_000).await;
    becomes(chain.order(), "orders", order(20_000, "shipped")).await;
    assert_eq!(rows(&chain.station, "stocks").await, [] as [Value; 0]);
    chain.stop().await;
}

#[tokio::test]
async fn item_2_an_arrival_at_the_station_makes_the_order_received() {
    let chain = Chain::start().await;
    chain.stock_up(20_000).await;
    becomes(&chain.logistics, "deliveries", delivery(20_000, "received")).await;
    becomes(&chain.station, "incomings", incoming(20_000, "completed")).await;
    chain.stock_becomes(20_000, 0).await;
    chain.stop().await;
}

#[tokio::test]
async fn items_3_and_4_a_sale_takes_from_the_stock_and_its_cancellation_puts_it_back() {
    let chain = Chain::start().await;
    chain.stock_up(20_000).await;
    chain.price(1_500).await;
    let sold = chain.sell(30).await;
    assert_eq!(
        (&sold["price"], &sold["amount"]),
        (&json!(1_500), &json!(45_000))
    );
    chain.stock_becomes(19_970, 1_500).await;
    chain.summary_becomes(30, 45_000).await;

    chain.cancel(1).await;
    chain.stock_becomes(20_000, 1_500).await;
    chain.summary_becomes(0, 0).await;
    chain.stop().await;
}

#[tokio::test]
async fn item_5_while_order_is_down_the_till_sells_and_afterwards_order_knows_the_price() {
    let mut chain = Chain::start().await;
    chain.stock_up(20_000).await;
    chain.price(1_500).await;
    becomes(chain.order(), "products", product(1_500)).await;
    chain.stop_order().await;

    chain.price(1_700).await;
    assert_eq!(chain.sell(10).await["amount"], 17_000);
    chain.stock_becomes(19_990, 1_700).await;
    chain.summary_becomes(10, 17_000).await;

    chain.start_order().await;
    becomes(chain.order(), "products", product(1_700)).await;
    chain.stop().await;
}

#[tokio::test]
async fn item_5_an_arrival_that_order_missed_is_received_when_it_is_back() {
    let mut chain = Chain::start().await;
    chain.place(500).await;
    chain.expected(500).await;
    chain.stop_order().await;
    chain.arrive().await;
    chain.stock_becomes(500, 0).await;
    chain.start_order().await;
    becomes(chain.order(), "orders", order(500, "received")).await;
    chain.stop().await;
}

/// What headquarters knows of a product that it has only heard the price of.
fn product(price: i64) -> Value {
    json!([{"productId": "CD1001", "name": "", "price": price}])
}
