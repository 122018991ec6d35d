//! A service that has to ask another about an event, and does not give up.

use crate::world::{Happened, Note, broker, env, heard_at_least, note, start, teller};
use kernel::{Call, Collection, Effect, Env, Running, Service};
use tokio::net::TcpListener;

/// Writes down what it hears, if the oracle lets it.
fn careful() -> Service {
    Service::new("careful")
        .calls("oracle")
        .collection(Collection::<Note>::new("rumours", "rumour"))
        .on_event(|event| match event {
            Happened::Noted { text } => vec![
                Call::get("oracle", "/").into(),
                Effect::save("rumours", &Note { text: text.clone() }),
            ],
            Happened::SomethingElse => vec![],
        })
}

/// Hears one note about which the oracle says nothing so often, and something from then on, and then another note.
async fn hears(service: Service, silences: usize, known: usize) -> Vec<String> {
    let (broker, _folder) = broker().await;
    let env = env(broker.local_addr());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let teller = start(teller(), &env).await.unwrap();
    let hearer_env = env.clone().with("ORACLE_URL", format!("http://{address}"));
    let hearer = start(service, &hearer_env).await.unwrap();
    note(&teller, "one").await;
    for _ in 0..silences {
        drop(silent.accept().await.unwrap());
    }
    drop(silent);
    let oracle = oracle(&env, address.port()).await;
    note(&teller, "two").await;
    let heard = heard_at_least(&hearer, known).await;
    for running in [hearer, teller, oracle] {
        running.stop().await;
    }
    broker.shutdown().await;
    heard
}

async fn oracle(env: &Env, port: u16) -> Running {
    let env = env.clone().with("PORT", port.to_string());
    start(Service::new("oracle"), &env).await.unwrap()
}

#[tokio::test]
async fn a_patient_service_asks_until_it_is_answered_and_keeps_the_order() {
    assert_eq!(hears(careful().patient(), 4, 2).await, ["one", "two"]);
}

#[tokio::test]
async fn any_other_leaves_an_event_aside_after_the_third_try() {
    assert_eq!(hears(careful(), 3, 1).await, ["two"]);
}
