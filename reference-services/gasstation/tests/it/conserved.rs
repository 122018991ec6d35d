//! Stock is what arrived less what was sold, and money is what the sales brought, whatever happens at the same time and however
//! often it is told.

use crate::chain::Chain;
use crate::world::rows;
use futures::future::join_all;

#[tokio::test]
async fn stock_is_arrivals_less_sales_with_many_tills_at_once() {
    const SALES: usize = 40;
    let chain = Chain::start().await;
    chain.stock_up(1_000).await;
    chain.price(100).await;
    join_all((0..SALES).map(|_| chain.sell(3))).await;
    // Each is canceled by three people at the same moment.
    join_all(
        (1..=10)
            .chain(1..=10)
            .chain(1..=10)
            .map(|sale| chain.cancel(sale)),
    )
    .await;
    chain.stock_becomes(1_000 - 30 * 3, 100).await;
    chain.summary_becomes(30 * 3, 30 * 3 * 100).await;
    chain.stop().await;
}

#[tokio::test]
async fn what_is_told_again_changes_nothing() {
    let mut chain = Chain::start().await;
    chain.stock_up(1_000).await;
    chain.price(100).await;
    chain.sell(5).await;
    chain.sell(7).await;
    chain.cancel(1).await;
    chain.stock_becomes(993, 100).await;

    chain.tell_the_station_everything_again().await;
    // This is told after all that was told before.
    chain.sell(11).await;
    chain.stock_becomes(982, 100).await;
    chain.summary_becomes(18, 1_800).await;
    assert_eq!(rows(&chain.station, "incomings").await.len(), 1);
    chain.stop().await;
}

#[tokio::test]
async fn an_arrival_counts_once_however_often_it_is_completed() {
    let chain = Chain::start().await;
    chain.place(500).await;
    chain.expected(500).await;
    join_all((0..5).map(|_| chain.arrive())).await;
    chain.arrive().await;
    chain.stock_becomes(500, 0).await;
    chain.stop().await;
}
