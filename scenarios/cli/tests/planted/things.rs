//! A service that is written to: `POST /things` keeps what it is given, `GET /things` and `/view` list it page by page.
use crate::{
    http::{Answer, Asked},
    truth,
};
use serde_json::{Value, json};
use std::str::FromStr;

/// Entries of a page, unless asked for.
const PAGE: usize = 20;

/// What it does wrong.
#[derive(Debug, Clone, Copy)]
pub enum Bug {
    None,
    /// `lose 10`: every tenth is acknowledged and not kept.
    Lose(u64),
    /// `lose-after 200`: nothing is kept after so many.
    LoseAfter(u64),
    /// `double 10`: every tenth is kept twice.
    Double(u64),
    /// `rename`: fields have other names.
    Rename,
}

impl FromStr for Bug {
    type Err = String;

    fn from_str(text: &str) -> Result<Bug, String> {
        let (word, number) = text.split_once(' ').unwrap_or((text, "1"));
        let number = number.parse().map_err(|e| format!("BUG “{text}”: {e}"))?;
        Ok(match word {
            "lose" => Bug::Lose(number),
            "lose-after" => Bug::LoseAfter(number),
            "double" => Bug::Double(number),
            "rename" => Bug::Rename,
            _ => return Err(format!("“{text}” is not a bug")),
        })
    }
}

pub struct Things {
    bug: Bug,
    /// So many were written.
    written: u64,
    rows: Vec<Value>,
}

impl Things {
    pub fn new(bug: Bug) -> Things {
        Things {
            bug,
            written: 0,
            rows: vec![],
        }
    }

    pub fn answer(&mut self, asked: &Asked) -> Answer {
        match asked.method.as_str() {
            "POST" => match serde_json::from_slice(&asked.body) {
                Ok(given) => {
                    self.write(given);
                    Answer::with("201 Created", "{}")
                }
                Err(why) => Answer::with("400 Bad Request", why.to_string()),
            },
            _ => Answer::with("200 OK", self.page(asked).to_string()),
        }
    }

    fn write(&mut self, mut given: Value) {
        self.written += 1;
        let key = given["key"].clone();
        let times = match self.bug {
            Bug::Lose(every) if self.written.is_multiple_of(every) => 0,
            Bug::LoseAfter(number) if self.written > number => 0,
            Bug::Double(every) if self.written.is_multiple_of(every) => 2,
            _ => 1,
        };
        match times {
            0 => truth::say("lost", json!({ "key": key })),
            2 => truth::say("doubled", json!({ "key": key })),
            _ => {}
        }
        given["status"] = "Done".into();
        if let Bug::Rename = self.bug {
            given = json!({ "name": key, "state": "Done" });
        }
        self.rows.extend((0..times).map(|_| given.clone()));
    }

    fn page(&self, asked: &Asked) -> Value {
        let number = asked.number("page").unwrap_or(0);
        let size = asked.number("size").unwrap_or(PAGE).max(1);
        let rows: Vec<&Value> = self.rows.iter().skip(number * size).take(size).collect();
        let total = self.rows.len();
        let pages = total.div_ceil(size);
        json!({
            "_embedded": { "things": rows },
            "page": { "size": size, "totalElements": total, "totalPages": pages, "number": number },
        })
    }
}
