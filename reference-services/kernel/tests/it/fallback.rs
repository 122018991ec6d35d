//! A call that Hystrix gives up, or does not even make, is answered by the caller's fallback, or fails the request.

use crate::world::{Note, env, send, start};
use http::{Method, StatusCode};
use kernel::{Call, Collection, Effect, Running, Service};
use serde_json::{Value, json};

/// Asks `till` for every note; what it says is kept as the note's text.
fn asker() -> Service {
    let asks = |_, note: &Note| {
        let asked = note.text.clone();
        let call = Call::post("till", "/missing", note);
        vec![Effect::ask(call, move |answer| {
            let text = answer.as_str().unwrap_or_default();
            vec![Effect::change(
                "notes",
                "text",
                asked.as_str(),
                json!({"text": text}),
            )]
        })]
    };
    Service::new("asker")
        .calls("till")
        .collection(Collection::<Note>::new("notes", "note").on_create(asks))
}

async fn asking(service: Service, hystrix: &str) -> (Running, Running, StatusCode, Value) {
    let env = env("127.0.0.1:9".parse().unwrap()).with("KAFKA_BROKERS", "none");
    let till = start(Service::new("till"), &env).await.unwrap();
    let env = env
        .with("TILL_URL", format!("http://{}", till.address))
        .with("FEIGN_HYSTRIX_ENABLED", hystrix);
    let asker = start(service, &env).await.unwrap();
    let (status, _, body) = send(
        Method::POST,
        asker.address,
        "/notes",
        json!({"text": "well?"}),
    )
    .await;
    (till, asker, status, body)
}

#[tokio::test]
async fn hyx_13_without_a_fallback_the_client_sees_a_500() {
    let (_till, _asker, status, body) = asking(asker(), "true").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body["message"], kernel::hal::ROLLED_BACK);
}

#[tokio::test]
async fn with_a_fallback_the_request_goes_on_with_it() {
    let service = || asker().fallback("till", |call| json!(format!("no {}", call.path)));
    let (_till, asker, status, _) = asking(service(), "true").await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, _, stored) = send(Method::GET, asker.address, "/notes/1", Value::Null).await;
    assert_eq!(stored["text"], "no /missing");
    let (_till, _asker, status, _) = asking(service(), "false").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "it is Hystrix's");
}
