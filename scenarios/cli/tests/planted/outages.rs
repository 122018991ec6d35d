//! Performs the plan: the time of each outage comes, is over, and is told as it was.
use crate::{
    plan::{Kind, Outage},
    server::{Now, Server},
    truth,
};
use serde_json::json;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// From the first look on.
pub async fn perform(server: Arc<Server>, plan: Vec<Outage>) {
    server.first_look().await;
    let start = Instant::now();
    truth::say("was looked at", json!({}));
    for outage in plan {
        sleep_until(start + outage.at).await;
        let over = Instant::now() + outage.length;
        let kind = outage.kind;
        let from = truth::wall_us();
        server.begin(Now { kind, over });
        sleep_until(over).await;
        server.end();
        if kind == Kind::Refuse {
            server.listening().await;
        }
        let to = truth::wall_us();
        truth::say(
            "outage",
            json!({ "kind": outage.word, "from": from, "to": to }),
        );
    }
}
