//! sms — the port through which customers are told, and its adapters. The domain knows the port only; the environment chooses the adapter.

use kernel::Env;
use kernel::env::Setting;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

/// What a customer is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Message {
    /// The order.
    pub order_id: i64,
    /// The text.
    pub message: String,
}

/// The port: tells a customer. It may be told the same again after a failure.
pub trait Sms: Send + Sync {
    /// Sends the message. After an error it counts as not sent.
    fn send(&self, message: &Message) -> io::Result<()>;
}

/// Which adapter there is behind the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// [`Console`].
    Console,
    /// [`File`].
    File,
}

/// Prints messages to the standard output.
#[derive(Clone, Copy, Debug)]
pub struct Console;

/// Appends messages to a file, as JSON, one a line.
#[derive(Clone, Debug)]
pub struct File {
    /// The file; it is made if it is not there.
    pub path: PathBuf,
}

impl Choice {
    /// The adapter. The file is `SMS_FILE`, by default `sms.jsonl` in the folder for temporary files.
    pub fn adapter(self, env: &Env) -> Box<dyn Sms> {
        match self {
            Choice::Console => Box::new(Console),
            Choice::File => {
                let path = env.get::<String>("SMS_FILE").map(PathBuf::from);
                let path = path.unwrap_or_else(|| std::env::temp_dir().join("sms.jsonl"));
                Box::new(File { path })
            }
        }
    }
}

impl Setting for Choice {
    const WAY_OUT: &'static str = "no such adapter; write `console` or `file`";

    fn read(text: &str) -> Option<Choice> {
        match text {
            "console" => Some(Choice::Console),
            "file" => Some(Choice::File),
            _ => None,
        }
    }
}

impl Sms for Console {
    fn send(&self, message: &Message) -> io::Result<()> {
        writeln!(io::stdout(), "SMS {}", json!(message))
    }
}

impl Sms for File {
    fn send(&self, message: &Message) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.path)?;
        // In one piece: others may append to the same file.
        file.write_all(format!("{}\n", json!(message)).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(order_id: i64) -> Message {
        let message = format!("Order {order_id}: confirmed");
        Message { order_id, message }
    }

    #[test]
    fn the_environment_chooses_the_adapter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sms.jsonl");
        let env = Env::from_iter([
            ("SMS_ADAPTER", "file"),
            ("SMS_FILE", path.to_str().unwrap()),
        ]);
        let adapter = env.or("SMS_ADAPTER", Choice::Console).adapter(&env);
        adapter.send(&message(7)).unwrap();
        adapter.send(&message(8)).unwrap();
        let told = concat!(
            r#"{"orderId":7,"message":"Order 7: confirmed"}"#,
            "\n",
            r#"{"orderId":8,"message":"Order 8: confirmed"}"#,
            "\n"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), told);

        let env = Env::from_iter([("SMS_ADAPTER", "pigeon")]);
        assert_eq!(env.get::<Choice>("SMS_ADAPTER"), None);
        assert_eq!(
            env.check().unwrap_err().to_string(),
            "SMS_ADAPTER=pigeon: no such adapter; write `console` or `file`"
        );
        let console = Env::default().or("SMS_ADAPTER", Choice::Console);
        assert!(console.adapter(&Env::default()).send(&message(7)).is_ok());
    }

    #[test]
    fn a_message_that_cannot_be_written_was_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("sms.jsonl");
        assert!(File { path }.send(&message(7)).is_err());
    }
}
