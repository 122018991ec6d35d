//! Requests and answers, each as the report states it, or as it was completed.

use crate::world::{get, post, post_form, rows, start, url};
use http::StatusCode;
use kernel::Env;
use serde_json::json;

/// The body of the report's load runs.
const PLACEMENT: &str = "productId=CD1001&qty=20000&destAddr=SK_Imme_Station";

#[tokio::test]
async fn an_order_is_placed_with_a_form_and_answered_200() {
    let env = Env::from_iter([("station_cd", "ST0001")]);
    let order = start("order", &env).await;
    let placed = post_form(&order, "/orders/placeOrder", PLACEMENT).await;
    assert_eq!(placed.status, StatusCode::OK);
    assert_eq!(
        placed.header("content-type"),
        "application/json;charset=UTF-8"
    );
    let stored = json!({"orderId": 1, "productId": "CD1001", "qty": 20000, "destAddr": "SK_Imme_Station", "stationCode": "ST0001", "status": "ordered"});
    assert_eq!(rows(&order, "orders").await, [stored]);
    assert_eq!(
        placed.body,
        r#"{"orderId":1,"productId":"CD1001","qty":20000,"destAddr":"SK_Imme_Station","stationCode":"ST0001","status":"ordered"}"#
    );
}

#[tokio::test]
async fn orders_are_numbered_however_they_come() {
    let order = start("order", &Env::from_iter([("station_cd", "ST0001")])).await;
    post_form(&order, "/orders/placeOrder", PLACEMENT).await;
    let refused = post(&order, "/orders", json!({"productId": "CD1001"})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let asked = json!({"productId": "CD1001", "qty": "7", "destAddr": "SK_Imme_Station"});
    assert_eq!(
        post(&order, "/orders", asked).await.status,
        StatusCode::CREATED
    );
    post_form(&order, "/orders/placeOrder", PLACEMENT).await;
    let orders = rows(&order, "orders").await;
    let numbers: Vec<_> = orders
        .iter()
        .map(|order| order["orderId"].clone())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(
        (&orders[1]["stationCode"], &orders[1]["status"]),
        (&json!("ST0001"), &json!("ordered"))
    );
    assert_eq!(get(&order, "/numbers").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_form_may_be_percent_encoded() {
    let order = start("order", &Env::default()).await;
    let form = "productId=CD+1001%262&qty=1&destAddr=%EC%A0%90%ED%8F%AC";
    post_form(&order, "/orders/placeOrder", form).await;
    let stored = &rows(&order, "orders").await[0];
    assert_eq!(
        (&stored["productId"], &stored["destAddr"]),
        (&json!("CD 1001&2"), &json!("점포"))
    );
}

#[tokio::test]
async fn an_order_without_a_proper_quantity_or_product_is_refused() {
    let order = start("order", &Env::default()).await;
    for form in [
        "productId=CD1001&qty=many&destAddr=SK_Imme_Station",
        "productId=CD1001&qty=0&destAddr=SK_Imme_Station",
        "productId=CD1001&destAddr=SK_Imme_Station",
        "qty=20000&destAddr=SK_Imme_Station",
        "",
    ] {
        let refused = post_form(&order, "/orders/placeOrder", form).await;
        assert_eq!(
            (refused.status, &refused.json()["status"]),
            (StatusCode::BAD_REQUEST, &json!(400)),
            "{form}"
        );
    }
    assert_eq!(rows(&order, "orders").await.len(), 0);
}

#[tokio::test]
async fn order_says_which_station_it_is_configured_for() {
    let env = Env::from_iter([("station_nm", "SK Imme"), ("station_cd", "ST0001")]);
    let order = start("order", &env).await;
    let said = post_form(&order, "/orders/station", "").await;
    assert_eq!(
        (said.status, said.body.as_str()),
        (StatusCode::OK, "SK Imme, ST0001")
    );
    // Not JSON, though it says so: as stated.
    assert_eq!(
        said.header("content-type"),
        "application/json;charset=UTF-8"
    );
}

#[tokio::test]
async fn a_station_that_is_not_configured_is_null() {
    let order = start("order", &Env::from_iter([("station_cd", "ST0001")])).await;
    let said = post_form(&order, "/orders/station", "").await;
    assert_eq!(said.body, "null, ST0001");
}

#[tokio::test]
async fn something_is_sold_and_taken_back_once() {
    let pos = start("pos", &Env::default()).await;
    let asked = json!({"productId": "CD1001", "qty": "30"});
    let sold = post(&pos, "/sales", asked).await;
    assert_eq!(
        (sold.status, sold.header("location")),
        (StatusCode::CREATED, &*format!("{}/sales/1", url(&pos)))
    );
    let row = |status| json!({"productId": "CD1001", "qty": 30, "price": 0, "amount": 0, "status": status});
    assert_eq!(rows(&pos, "sales").await, [row("sold")]);
    for _ in 0..2 {
        let canceled = post(&pos, "/sales/1/cancel", json!({})).await;
        assert_eq!(
            (canceled.status, &canceled.json()["status"]),
            (StatusCode::OK, &json!("canceled"))
        );
    }
    assert_eq!(rows(&pos, "sales").await, [row("canceled")]);
    let unknown = post(&pos, "/sales/2/cancel", json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sale_of_nothing_is_refused() {
    let pos = start("pos", &Env::default()).await;
    for asked in [
        json!({"productId": "CD1001", "qty": 0}),
        json!({"productId": "CD1001", "qty": "many"}),
        json!({"qty": 1}),
    ] {
        let refused = post(&pos, "/sales", asked).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(rows(&pos, "sales").await.len(), 0);
}

#[tokio::test]
async fn a_price_is_set_and_kept() {
    let station = start("station", &Env::default()).await;
    let price = json!({"productId": "CD1001", "price": "1500"});
    assert_eq!(
        post(&station, "/prices", price).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        rows(&station, "prices").await,
        [json!({"productId": "CD1001", "price": 1500})]
    );
    assert_eq!(
        rows(&station, "stocks").await,
        [json!({"productId": "CD1001", "qty": 0, "price": 1500})]
    );
    let unknown = post(&station, "/incomings/1/complete", json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_gateway_leads_to_all_of_them() {
    let env = Env::from_iter([("station_nm", "SK Imme"), ("station_cd", "ST0001")]);
    let order = start("order", &env).await;
    let logistics = start("logistics", &env).await;
    let pos = start("pos", &env).await;
    let station = start("station", &env).await;
    let gateway = start(
        "gateway",
        &Env::default()
            .with("ORDER_URL", url(&order))
            .with("LOGISTICS_URL", url(&logistics))
            .with("POS_URL", url(&pos))
            .with("STATION_URL", url(&station)),
    )
    .await;
    let placed = post_form(&gateway, "/orders/placeOrder", PLACEMENT).await;
    assert_eq!(placed.status, StatusCode::OK);
    assert_eq!(
        post_form(&gateway, "/orders/station", "").await.body,
        "SK Imme, ST0001"
    );
    for collection in [
        "orders",
        "products",
        "deliveries",
        "incomings",
        "stocks",
        "salesSummaries",
        "prices",
        "sales",
    ] {
        let rows = rows(&gateway, collection).await.len();
        assert_eq!(rows, usize::from(collection == "orders"), "{collection}");
    }
    assert_eq!(
        get(&gateway, "/management").await.status,
        StatusCode::NOT_FOUND
    );
}
