//! What is to be done, from the environment.
use crate::things::Bug;
use std::{net::SocketAddr, str::FromStr, time::Duration};

const PORT: u16 = 8080;

/// All of it.
pub struct Settings {
    pub address: SocketAddr,
    pub plan: Vec<Outage>,
    pub service_time: Duration,
    pub bug: Bug,
    pub takes_memory_after: Option<Duration>,
}

impl Settings {
    /// # Errors
    /// Which variable cannot be read.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
        let text = |name: &str| variable(name).filter(|text| !text.is_empty());
        let time = |name: &str| text(name).map(|text| millis(&text)).transpose();
        let host = match text("LISTENS").as_deref() {
            Some("everywhere") => "0.0.0.0".into(),
            _ => text("POD_IP").unwrap_or_else(|| "127.0.0.1".into()),
        };
        let host = host.parse().map_err(|e| format!("POD_IP “{host}”: {e}"))?;
        let plan = text("PLAN").unwrap_or_default();
        Ok(Settings {
            address: SocketAddr::new(host, PORT),
            plan: plan
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            service_time: time("SERVICE_TIME")?.unwrap_or_default(),
            bug: text("BUG").map_or(Ok(Bug::None), |text| text.parse())?,
            takes_memory_after: time("TAKES_MEMORY_AFTER")?,
        })
    }
}

/// A stretch of time in which looks do not go well.
#[derive(Debug, Clone)]
pub struct Outage {
    /// From the first look on.
    pub at: Duration,
    pub length: Duration,
    pub kind: Kind,
    /// The kind's word.
    pub word: String,
}

impl FromStr for Outage {
    type Err = String;

    fn from_str(text: &str) -> Result<Outage, String> {
        let [at, length, kind] = text.split(',').collect::<Vec<_>>()[..] else {
            return Err(format!("“{text}” is not an outage; write at,length,kind"));
        };
        Ok(Outage {
            at: millis(at)?,
            length: millis(length)?,
            kind: kind.parse()?,
            word: kind.into(),
        })
    }
}

/// How looks do not go well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Nobody listens, and connections that were open are reset.
    Refuse,
    /// Connections, old and new, are reset.
    Reset,
    /// A look is never answered, not even when the outage is over.
    Hang,
    /// A look is answered well when the outage is over.
    Stall,
    /// HTTP 503.
    Unavailable,
    /// Half of the body comes, and the connection is closed.
    Truncated,
    /// HTTP 200 with the page of somebody else.
    Wrong,
    /// HTTP 302 to that page.
    Redirect,
    /// A look is answered well, so much later.
    Slow(Duration),
    /// Every second look is answered with HTTP 503.
    Half,
}

impl Kind {
    /// Whether no connection can be had or kept.
    pub fn cuts(self) -> bool {
        matches!(self, Kind::Refuse | Kind::Reset)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        Ok(match text {
            "refuse" => Kind::Refuse,
            "reset" => Kind::Reset,
            "hang" => Kind::Hang,
            "stall" => Kind::Stall,
            "503" => Kind::Unavailable,
            "truncated" => Kind::Truncated,
            "wrong" => Kind::Wrong,
            "redirect" => Kind::Redirect,
            "half" => Kind::Half,
            _ => match text.strip_prefix("slow") {
                Some(by) => Kind::Slow(millis(by)?),
                None => return Err(format!("“{text}” is not a kind of outage")),
            },
        })
    }
}

fn millis(text: &str) -> Result<Duration, String> {
    let number = text.parse().map(Duration::from_millis);
    number.map_err(|_| format!("“{text}” is not a number of milliseconds"))
}
