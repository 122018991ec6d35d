//! The store's promises, on SQLite and on PostgreSQL.

use futures::future::join_all;
use kernel::page::Page;
use kernel::shape::{Fields, Shape, fields_of};
use kernel::store::{Store, Table, Waiting};
use kernel::{Event, Row};
use serde_json::json;

const PLACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Order {
    guest_name: String,
    price: i64,
    rating: f64,
    paid: bool,
}

fn table() -> Table {
    Table {
        name: "orders",
        shape: Shape::of::<Order>(),
        indexes: vec!["guestName"],
    }
}

fn order(guest: &str, price: i64) -> Fields {
    fields_of(&json!({"guestName": guest, "price": price, "rating": 4.5, "paid": true}))
}

fn event(id: &str) -> Event {
    Event {
        event_id: id.to_owned(),
        correlation_id: "c".to_owned(),
        key: "7".to_owned(),
        timestamp: "2020-08-05T12:33:03Z".parse().unwrap(),
        fields: Fields::new(),
    }
}

async fn store_with(orders: &[(&str, i64)]) -> Store {
    let store = Store::open(&databases::url(), "shop", &[table()])
        .await
        .unwrap();
    let mut transaction = store.begin().await.unwrap();
    for (guest, price) in orders {
        transaction
            .append(&table(), order(guest, *price))
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    store
}

#[tokio::test]
async fn a_damaged_file_is_named_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.db");
    let url = format!("sqlite:{}", file.display());
    let open = async || Store::open(&url, "shop", &[table()]).await;
    for _ in 0..2 {
        drop(open().await.unwrap());
    }
    let sound = std::fs::read(&file).unwrap();
    let mut overwritten = sound.clone();
    overwritten[4096..].fill(0xa5);
    for (what, bytes) in [
        (
            "another file",
            "not a database at all\n".repeat(500).into_bytes(),
        ),
        ("its first half", sound[..sound.len() / 2].to_vec()),
        ("pages overwritten", overwritten),
    ] {
        for beside in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{beside}", file.display()));
        }
        std::fs::write(&file, bytes).unwrap();
        let began = std::time::Instant::now();
        let refused = open().await.unwrap_err().to_string();
        assert!(
            refused.contains("damaged or no database"),
            "{what}: {refused}"
        );
        assert!(began.elapsed().as_secs() < 5, "{what}");
    }
}

#[tokio::test]
async fn a_row_comes_back_as_it_was_stored() {
    let store = store_with(&[("배트맨", 1000)]).await;
    let row = store.get(&table(), 1).await.unwrap().unwrap();
    assert_eq!(
        row,
        Row {
            id: 1,
            fields: order("배트맨", 1000)
        }
    );
    assert_eq!(store.get(&table(), 2).await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_never_happened_but_its_id_is_used() {
    let store = store_with(&[]).await;
    let id = store.next_id(&table()).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    transaction
        .insert(
            &table(),
            &Row {
                id,
                fields: order("Robin", 1),
            },
        )
        .await
        .unwrap();
    drop(transaction);
    assert_eq!(
        store.list(&table(), &Page::of_query("")).await.unwrap(),
        (vec![], 0)
    );
    assert_eq!(store.next_id(&table()).await.unwrap(), 2);
}

#[tokio::test]
async fn pages_are_sorted_by_known_fields_and_then_by_id() {
    let store = store_with(&[("A", 2), ("B", 1), ("C", 2)]).await;
    let page = Page::of_query("sort=colour&sort=price,desc&size=2");
    let (rows, total) = store.list(&table(), &page).await.unwrap();
    assert_eq!(
        (rows.iter().map(|row| row.id).collect::<Vec<_>>(), total),
        (vec![1, 3], 3)
    );
    let (rows, _) = store
        .list(&table(), &Page { number: 1, ..page })
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn rows_are_found_by_a_field_and_changed() {
    let store = store_with(&[("A", 2), ("B", 1)]).await;
    let mut transaction = store.begin().await.unwrap();
    let found = transaction
        .find(&table(), "guestName", &json!("B"))
        .await
        .unwrap();
    assert_eq!(
        found,
        [Row {
            id: 2,
            fields: order("B", 1)
        }]
    );
    transaction
        .update(
            &table(),
            &Row {
                id: 2,
                fields: order("B", 7),
            },
        )
        .await
        .unwrap();
    transaction.delete(&table(), 1).await.unwrap();
    assert_eq!(
        transaction.get(&table(), 2).await.unwrap().unwrap().fields["price"],
        7
    );
    transaction.commit().await.unwrap();
    assert_eq!(
        store.list(&table(), &Page::of_query("")).await.unwrap().1,
        1
    );
}

#[tokio::test]
async fn events_wait_in_order_until_they_are_sent() {
    let store = store_with(&[]).await;
    let mut transaction = store.begin().await.unwrap();
    transaction.publish(&event("one"), PLACE).await.unwrap();
    transaction.publish(&event("two"), PLACE).await.unwrap();
    transaction.commit().await.unwrap();
    drop(store.begin().await.unwrap());

    let waiting = store.waiting(10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|event| event.number).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        waiting[0],
        Waiting {
            number: 1,
            key: "7".to_owned(),
            payload: event("one").to_json(),
            traceparent: PLACE.to_owned(),
        }
    );
    store.sent_up_to(1).await.unwrap();
    assert_eq!(store.waiting(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_is_first_only_once() {
    let store = store_with(&[]).await;
    let mut transaction = store.begin().await.unwrap();
    assert!(transaction.is_first("e1").await.unwrap());
    assert!(!transaction.is_first("e1").await.unwrap());
}

#[tokio::test]
async fn an_undo_is_told_once_unless_it_is_struck_out() {
    let store = store_with(&[]).await;
    for id in ["broken", "done"] {
        store.note_undo(&event(id)).await.unwrap();
    }
    let mut transaction = store.begin().await.unwrap();
    assert!(transaction.strike_undo("done").await.unwrap());
    transaction.commit().await.unwrap();
    assert_eq!(store.undos().await.unwrap(), [event("broken")]);
    for id in ["broken", "done", "broken"] {
        store.tell_undo(&event(id), PLACE).await.unwrap();
    }
    let told: Vec<_> = store.waiting(10).await.unwrap();
    assert_eq!(
        told.iter().map(|event| &event.payload).collect::<Vec<_>>(),
        [&event("broken").to_json()]
    );
    assert_eq!(store.undos().await.unwrap(), []);
}

#[tokio::test]
async fn what_was_stored_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let url = databases::lasting(folder.path(), "orders.db");
    for expected in [1, 2] {
        let store = Store::open(&url, "shop", &[table()]).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(
            transaction
                .append(&table(), order("A", 1))
                .await
                .unwrap()
                .id,
            expected
        );
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn names_are_sorted_by_their_bytes_and_what_has_none_comes_first() {
    let store = store_with(&[("b", 1), ("B", 1), ("가", 1), ("a", 1)]).await;
    let mut transaction = store.begin().await.unwrap();
    transaction.append(&table(), Fields::new()).await.unwrap();
    transaction.commit().await.unwrap();
    for (sort, expected) in [
        ("guestName", [5, 2, 4, 1, 3]),
        ("guestName,desc", [3, 1, 4, 2, 5]),
    ] {
        let page = Page::of_query(&format!("sort={sort}"));
        let (rows, _) = store.list(&table(), &page).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
    }
}

/// Two replicas of a service have the same database. Each transaction adds one to what it finds, or stores the first if it finds none.
#[tokio::test]
async fn transactions_of_two_replicas_do_not_come_between_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let url = databases::lasting(folder.path(), "shared.db");
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(Store::open(&url, "shop", &[table()]).await.unwrap());
    }
    let adding = (0..40).map(|n| {
        let store = replicas[n % 2].clone();
        async move {
            let mut transaction = store.begin().await.unwrap();
            let found = transaction
                .find(&table(), "guestName", &json!("A"))
                .await
                .unwrap();
            match found.first() {
                None => drop(transaction.append(&table(), order("A", 1)).await.unwrap()),
                Some(row) => {
                    let price = row.fields["price"].as_i64().unwrap() + 1;
                    let row = Row {
                        id: row.id,
                        fields: order("A", price),
                    };
                    transaction.update(&table(), &row).await.unwrap();
                }
            }
            transaction
                .publish(&event(&n.to_string()), PLACE)
                .await
                .unwrap();
            transaction.commit().await.unwrap();
        }
    });
    join_all(adding).await;
    let (rows, total) = replicas[0]
        .list(&table(), &Page::of_query(""))
        .await
        .unwrap();
    assert_eq!((total, &rows[0].fields["price"]), (1, &json!(40)));
    let waiting = replicas[1].waiting(100).await.unwrap();
    let numbers: Vec<_> = waiting.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
}

/// The same service name twice is one schema; two names are two, in one database.
#[tokio::test]
async fn services_that_share_a_postgres_database_do_not_see_each_other() {
    let url = databases::url();
    let shop = Store::open(&url, "shop", &[table()]).await.unwrap();
    let till = Store::open(&url, "till", &[table()]).await.unwrap();
    let mut transaction = shop.begin().await.unwrap();
    transaction.append(&table(), order("A", 1)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(shop.list(&table(), &Page::of_query("")).await.unwrap().1, 1);
    assert_eq!(till.list(&table(), &Page::of_query("")).await.unwrap().1, 0);
}
