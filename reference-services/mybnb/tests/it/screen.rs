//! The screen, with and without a browser.

use crate::world::{start, url};
use broker::{Broker, Config};
use browser::Page;
use kernel::{Env, Running};
use std::time::Duration;

const HTML: &str = include_str!("../../src/index.html");

#[test]
fn the_screen_needs_nothing_from_elsewhere() {
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!HTML.contains(outside), "{outside}");
    }
}

#[test]
fn every_field_has_a_label_every_table_a_caption_and_errors_are_read_aloud() {
    let count = |part: &str| HTML.matches(part).count();
    let fields = count("<input ") + count("<select ");
    let labelled = HTML
        .lines()
        .filter(|line| line.contains("<label"))
        .filter(|line| line.contains("<input ") || line.contains("<select "))
        .count();
    assert_eq!((fields, labelled), (7, 7));
    assert_eq!(count("<table>"), count("<caption "));
    assert_eq!(count(r#"role="alert""#), count("<table>"));
    assert!(HTML.contains(r#"<html lang="en">"#));
    assert!(HTML.contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn a_room_is_clicked_from_its_registration_to_a_paid_and_a_cancelled_booking() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        initial_rebalance_delay: Duration::ZERO,
        ..Config::new("127.0.0.1:0".parse().unwrap(), folder.path())
    };
    let broker = Broker::start(config).await.unwrap();
    let mut env = Env::default().with("KAFKA_BROKERS", broker.local_addr().to_string());
    let mut services: Vec<Running> = vec![];
    // Callees before callers, the gateway last.
    for name in [
        "auth", "room", "booking", "pay", "mypage", "alarm", "html", "gateway",
    ] {
        let running = start(name, &env).await;
        env = env.with(&format!("{}_URL", name.to_uppercase()), url(&running));
        services.push(running);
    }
    let address = url(services.last().unwrap());
    if let Some(mut page) = Page::open(&address, 390).await.unwrap() {
        let auth = services.remove(0);
        journey(&mut page, auth).await.unwrap();
    }
    futures::future::join_all(services.into_iter().map(Running::stop)).await;
    broker.shutdown().await;
}

async fn journey(page: &mut Page, auth: Running) -> anyhow::Result<()> {
    page.write("#registration [name=name]", "펜션").await?;
    page.click("#registration button").await?;
    page.says("#rooms-said", "펜션 is room 1.").await?;
    page.says("#alarms", "(host)Superman").await?;

    page.click("#book-1").await?;
    page.click("#booking button").await?;
    page.says("#mypages-said", "Booking 1 of 펜션 is requested.")
        .await?;
    page.says("#mypages", "paid").await?;
    page.says("#pays", "approved").await?;
    page.says("#alarms", "PayApproved").await?;

    page.click("#cancel-1").await?;
    page.says("#mypages-said", "Booking 1 is canceled.").await?;
    page.says("#pays", "canceled").await?;
    page.says("#alarms", "PayCanceled").await?;
    page.until("document.querySelector('#cancel-1').disabled")
        .await?;

    // Without auth there is no room, and the screen says what the API says.
    auth.stop().await;
    page.click("#registration button").await?;
    page.says(
        "#rooms-said",
        "POST /rooms: 500 Internal Server Error: Could not commit JPA transaction",
    )
    .await?;
    page.says("#rooms-caption", "1 in all.").await?;
    page.write("#guest", "로빈").await?;
    page.says("#mypages-caption", "0 of 로빈.").await?;
    for scheme in ["light", "dark"] {
        page.colours(scheme).await?;
        page.until("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            .await?;
    }
    Ok(())
}
