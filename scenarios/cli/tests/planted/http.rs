//! As much of HTTP/1.1 as a load worker speaks.
use std::{fmt::Write, io};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::tcp::ReadHalf;

/// A line of a head may be so long, in bytes.
const LINE_MAX: u64 = 16 << 10;

/// A body may be so long, in bytes.
const BODY_MAX: usize = 1 << 20;

/// What was asked.
#[derive(Debug, Default)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Vec<u8>,
    /// The connection is closed after the answer.
    pub is_last: bool,
}

impl Asked {
    /// A number of the query.
    pub fn number(&self, name: &str) -> Option<usize> {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let mut of_name = pairs.filter(|(n, _)| *n == name);
        of_name.next()?.1.parse().ok()
    }
}

/// The next request of a connection; None at its end.
pub async fn read(from: &mut BufReader<ReadHalf<'_>>) -> io::Result<Option<Asked>> {
    let first = line(from).await?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut asked = Asked {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        ..Asked::default()
    };
    let mut length = 0;
    loop {
        let header = line(from).await?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().map_err(io::Error::other)?,
            ("connection", value) => asked.is_last = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    asked.body = vec![0; Ord::min(length, BODY_MAX)];
    from.read_exact(&mut asked.body).await?;
    Ok(Some(asked))
}

/// Without its end.
async fn line(from: &mut BufReader<ReadHalf<'_>>) -> io::Result<String> {
    let mut line = String::new();
    from.take(LINE_MAX).read_line(&mut line).await?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

/// An answer. What is not sent of it is cut off.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: &'static str,
    pub location: Option<&'static str>,
    pub body: String,
    /// Half of the body is sent, and the connection closed.
    pub is_half: bool,
}

impl Answer {
    pub fn with(status: &'static str, body: impl Into<String>) -> Answer {
        Answer {
            status,
            location: None,
            body: body.into(),
            is_half: false,
        }
    }

    /// As it is sent.
    pub fn written(&self) -> String {
        let length = self.body.len();
        let mut text = format!("HTTP/1.1 {}\r\ncontent-length: {length}\r\n", self.status);
        if let Some(location) = self.location {
            let _ = write!(text, "location: {location}\r\n");
        }
        let sent = if self.is_half { length / 2 } else { length };
        text + "content-type: application/json\r\n\r\n" + &self.body[..sent]
    }
}
