//! What the server did, a line of JSON each on standard output, which a run keeps as the log of its pod.
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock in microseconds since the epoch.
pub fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

/// Says it, with the time.
pub fn say(did: &str, more: Value) {
    let mut line = json!({ "at": wall_us(), "did": did });
    if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
        line.extend(more);
    }
    println!("{line}");
}
