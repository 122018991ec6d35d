//! The screen, with and without a browser.

use crate::world::{World, url};
use browser::Page;
use serde_json::json;

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
    assert_eq!((fields, labelled), (8, 8));
    assert_eq!(count("<table>"), count("<caption "));
    assert_eq!(count(r#"role="alert""#), count("<table>"));
    assert!(HTML.contains(r#"<html lang="en">"#));
    assert!(HTML.contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn an_order_is_clicked_from_its_start_to_the_points() {
    let world = World::start(&[]).await;
    let Some(mut page) = Page::open(&url(world.service("gateway")), 390)
        .await
        .unwrap()
    else {
        return world.stop().await;
    };
    journey(&mut page).await.unwrap();
    assert_eq!(world.all("users", "point").await, [60, 0]);
    world.stop().await;
}

async fn journey(page: &mut Page) -> anyhow::Result<()> {
    for (name, capacity) in [("강감찬", "100"), ("을지문덕", "50")] {
        page.write("#register [name=name]", name).await?;
        page.write("#register [name=capacity]", capacity).await?;
        page.click("#register button").await?;
        page.says("#users-said", &format!("{name} is customer"))
            .await?;
    }
    page.value("document.querySelector('#meter select').value = '1'")
        .await?;
    page.write("#meter [name=usedKw]", "40").await?;
    page.click("#meter button").await?;
    page.says("#users-said", "The meter of customer 1 shows 40 kW.")
        .await?;

    page.click("#start button").await?;
    page.says("#orders-said", "Order 1 is running.").await?;
    page.click("#accept-1").await?;
    page.says("#responses-said", "강감찬: accept.").await?;
    page.click("#accept-2").await?;
    page.says("#accepted", "2 of 2").await?;
    page.click("#end-1").await?;
    page.says("#points", "60").await?;
    page.says("#accepted", "1 of 2").await?;
    page.until("document.querySelector('#accept-2').disabled")
        .await?;

    // What the API says against something is on the screen, word for word.
    page.write("#register [name=name]", " ").await?;
    page.write("#register [name=capacity]", "5").await?;
    page.click("#register button").await?;
    page.says(
        "#users-said",
        "POST /users: 400 Bad Request: name: say who it is",
    )
    .await?;
    for scheme in ["light", "dark"] {
        page.colours(scheme).await?;
        page.until("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_away_is_named_and_the_rest_goes_on() {
    let mut world = World::start(&[]).await;
    world.register(&[100]).await;
    world.away("dr").await;
    let Some(mut page) = Page::open(&url(world.service("gateway")), 1280)
        .await
        .unwrap()
    else {
        return world.stop().await;
    };
    let away = "GET /drs?size=1000&sort=id,desc: 503 Service Unavailable: dr does not answer. What is shown may be old.";
    page.says("#drs-error", away).await.unwrap();
    page.says("#users", "고객1").await.unwrap();
    page.click("#start button").await.unwrap();
    let failed = "POST /startdr: 503 Service Unavailable: dr does not answer";
    page.says("#orders-said", failed).await.unwrap();
    world.back("dr").await;
    page.until("document.querySelector('#drs-error').innerText === ''")
        .await
        .unwrap();
    assert_eq!(
        page.value("document.querySelectorAll('#drs tr').length")
            .await
            .unwrap(),
        json!(0)
    );
    world.stop().await;
}
