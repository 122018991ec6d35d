//! Input that no client would send closes its own connection and harms nobody else.

use crate::arms::on_both;
use crate::bare::Connection;
use crate::clients::*;

/// (what it is, the bytes): a length and what follows it.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let framed = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    vec![
        (
            "a frame of two gigabytes",
            [&i32::MAX.to_be_bytes()[..], &[0; 100]].concat(),
        ),
        (
            "a frame of negative size",
            [&(-1_i32).to_be_bytes()[..], &[0; 100]].concat(),
        ),
        (
            "another protocol",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ),
        (
            "a request that does not exist",
            framed(&[&999_i16.to_be_bytes()[..], &[0; 30]].concat()),
        ),
        (
            "a version that does not exist",
            framed(&[&3_i16.to_be_bytes()[..], &99_i16.to_be_bytes(), &[0; 30]].concat()),
        ),
        (
            "a request that ends early",
            framed(&[0, 3, 0, 1, 0, 0, 0, 7, 0, 1, b'x', 0, 0, 0, 5]),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_closes_its_own_connection_and_nobody_elses() {
    on_both(async |arm| {
        let topic = arm.unique("hostile");
        let producer = producer(&arm.bootstrap);
        publish(&producer, &topic, ["before".to_string()]).await;
        let member = consumer(&arm.bootstrap, &arm.unique("group"), &topic, "earliest");
        assert_eq!(take(&member, 1).await, ["before"]);
        for (what, bytes) in hostile() {
            let mut connection = Connection::open(arm).await;
            connection.say(&bytes).await;
            assert!(connection.is_closed().await, "{what}");
        }
        publish(&producer, &topic, ["after".to_string()]).await;
        assert_eq!(take(&member, 1).await, ["after"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_that_claims_two_billion_elements_does_not_cost_their_memory() {
    on_both(async |arm| {
        let mut connection = Connection::open(arm).await;
        let metadata_of_two_billion = [0, 3, 0, 1, 0, 0, 0, 7, 0, 1, b'x', 0x7f, 0xff, 0xff, 0xff];
        connection.say(&15_u32.to_be_bytes()).await;
        connection.say(&metadata_of_two_billion).await;
        assert!(connection.is_closed().await);
        publish(
            &producer(&arm.bootstrap),
            &arm.unique("alive"),
            ["yes".to_string()],
        )
        .await;
    })
    .await;
}
