//! A server whose faults are planted, and which says when it did what: tests compare what a run makes of it with what was so.
//!
//! `GET /look` is answered with a small JSON body and begins the plan; `/things` is written to and listed, `/view` is listed;
//! everything else, probes for instance, is answered well whenever it listens. It does what these variables say:
//!
//! | variable | |
//! | --- | --- |
//! | `PLAN` | outages, each `at,length,kind` in milliseconds from the first look; see [`plan::Kind`] |
//! | `SERVICE_TIME` | so many milliseconds pass before each look is answered |
//! | `BUG` | what it does wrong with things; see [`things::Bug`] |
//! | `TAKES_MEMORY_AFTER` | so many milliseconds after the first look it begins to take memory until it is ended |
//! | `LISTENS` | `everywhere`: at all addresses; else at `POD_IP` |
mod http;
mod outages;
mod plan;
mod server;
mod things;
mod truth;

use plan::Settings;
use server::Server;
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// More than any limit of a test; a machine is not filled by a forgotten server.
const MEMORY_MAX_MIB: usize = 512;

const MIB: usize = 1 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let settings = match Settings::of(|name| std::env::var(name).ok()) {
        Ok(settings) => settings,
        Err(why) => {
            eprintln!("planted-server: {why}");
            std::process::exit(64);
        }
    };
    let server = Arc::new(Server::new(&settings));
    if let Some(after) = settings.takes_memory_after {
        tokio::spawn(take_memory(server.clone(), after));
    }
    tokio::spawn(outages::perform(server.clone(), settings.plan));
    tokio::spawn(server::listen(server, settings.address));
    // The first process of a container ignores signals that it has no handler for.
    let mut asked = signal(SignalKind::terminate()).expect("a handler can be set");
    asked.recv().await;
}

async fn take_memory(server: Arc<Server>, after: Duration) {
    server.first_look().await;
    tokio::time::sleep(after).await;
    truth::say("began to take memory", serde_json::json!({}));
    let mut taken = vec![];
    while taken.len() < MEMORY_MAX_MIB {
        // Written to, so that it is really there.
        taken.push(vec![1_u8; MIB]);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
