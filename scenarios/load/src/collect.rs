//! Reads a paged HAL list over and over until it is whole.
use crate::{
    CollectJob,
    answer::WallClock,
    http::Connections,
    output::Lines,
    save, template,
    wire::{KEYS_MAX, Line, ROWS_MAX},
    worker::{STOPPED, Tally, WorkError},
};
use model::{Connection, Request, rows::Row, saved::id_of};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// Entries on a page.
const PAGE_SIZE: u32 = 500;
/// A list of more pages is not read to its end.
const PAGES_MAX: u32 = 2_000;
/// A page may be so large, in bytes.
const PAGE_MAX: usize = 16 << 20;
/// The limit of one page.
const PAGE_LIMIT: Duration = Duration::from_secs(10);
/// A list that has too few entries is read again so much later.
const PAUSE: Duration = Duration::from_millis(250);

/// One complete reading.
#[derive(Debug, Clone, Default, PartialEq)]
struct Reading {
    keys: Vec<String>,
    rows: Vec<Row>,
    total: u64,
}

/// What a page holds.
#[derive(Debug, PartialEq)]
struct Page {
    keys: Vec<String>,
    rows: Vec<Row>,
    pages: u32,
    total: Option<u64>,
}

/// Reads until the list has enough entries and stays as it is, or the time is up; then prints the last complete reading.
pub(crate) async fn run(
    job: &CollectJob,
    lines: &Lines,
    stop: &CancellationToken,
) -> Result<Tally, WorkError> {
    let pages = Pages::of(job)?;
    let wall_us = WallClock::now().at(Instant::now());
    lines.put(Line::Began { wall_us }).await;
    let mut found = Found::default();
    let stopped = tokio::select! {
        _ = stop.cancelled() => true,
        _ = settle(&pages, job, &mut found) => false,
    };
    let reading = found.last.unwrap_or_default();
    for some in reading.keys.chunks(KEYS_MAX) {
        lines.put(Line::Keys(some.to_vec())).await;
    }
    for some in reading.rows.chunks(ROWS_MAX) {
        lines.put(Line::Rows(some.to_vec())).await;
    }
    let (reads, complete) = (found.reads, found.complete);
    lines.put(Line::Collected { reads, complete }).await;
    Ok(Tally {
        cut_short: stopped.then(|| STOPPED.into()),
        ..Tally::default()
    })
}

#[derive(Default)]
struct Found {
    last: Option<Reading>,
    reads: u32,
    complete: bool,
}

async fn settle(pages: &Pages, job: &CollectJob, found: &mut Found) {
    let end = Instant::now() + Duration::from(job.timeout);
    loop {
        let reading = timeout_at(end.into(), pages.read_all()).await;
        found.reads += 1;
        // The time is up in the middle of a reading: the one before it counts.
        let Ok(reading) = reading else {
            return;
        };
        found.complete = reading.is_some();
        let enough = reading.as_ref().is_some_and(|r| {
            r.total >= job.until_total && job.until.iter().all(|until| until.is_met(&r.rows))
        });
        if enough && found.last == reading {
            return;
        }
        found.last = reading.or(found.last.take());
        let pause = if enough { job.settle.into() } else { PAUSE };
        let next = Instant::now() + pause;
        if next >= end {
            return;
        }
        sleep_until(next.into()).await;
    }
}

/// The list's address, page by page.
struct Pages {
    connections: Connections,
    template: template::Template,
    collection: String,
    kept: Kept,
}

/// What is kept of each entry.
struct Kept {
    key: Option<String>,
    fields: BTreeMap<String, String>,
}

impl Pages {
    fn of(job: &CollectJob) -> Result<Pages, WorkError> {
        let request = Request {
            name: job.collection.clone(),
            method: "GET".into(),
            url: job.url.clone(),
            keep_body: true,
            ..Request::default()
        };
        let template = template::parse(&[request])?.remove(0);
        Ok(Pages {
            connections: Connections::new(Connection::Reused, PAGE_LIMIT),
            template,
            collection: job.collection.clone(),
            kept: Kept {
                key: job.field.clone(),
                fields: job.fields.clone(),
            },
        })
    }

    /// `None` when a page could not be read.
    async fn read_all(&self) -> Option<Reading> {
        let (mut keys, mut rows) = (Vec::new(), Vec::new());
        for number in 0..PAGES_MAX {
            let page = self.read(number).await?;
            keys.extend(page.keys);
            rows.extend(page.rows);
            if number + 1 >= page.pages {
                let total = page.total.unwrap_or(keys.len().max(rows.len()) as u64);
                return Some(Reading { keys, rows, total });
            }
        }
        None
    }

    async fn read(&self, number: u32) -> Option<Page> {
        let mut request = self.template.fill(0, u64::from(number) + 1);
        request.keep = PAGE_MAX;
        request
            .url
            .query_pairs_mut()
            .append_pair("page", &number.to_string())
            .append_pair("size", &PAGE_SIZE.to_string());
        let answer = self.connections.exchange(&request).await;
        let whole = answer.error.is_none() && answer.status == Some(200);
        let body = serde_json::from_slice(&answer.body)
            .ok()
            .filter(|_| whole)?;
        page(&body, &self.collection, &self.kept)
    }
}

/// A list without the collection is empty; one of another collection, or an entry without the key, makes the page unreadable.
fn page(body: &Value, collection: &str, kept: &Kept) -> Option<Page> {
    let embedded = body.get("_embedded");
    let entries = match embedded.and_then(|e| e.get(collection)) {
        Some(entries) => entries.as_array()?.as_slice(),
        None if embedded
            .and_then(Value::as_object)
            .is_some_and(|e| !e.is_empty()) =>
        {
            return None;
        }
        None => &[],
    };
    let keys = match &kept.key {
        None => vec![],
        Some(field) => entries
            .iter()
            .map(|e| key(e, field))
            .collect::<Option<_>>()?,
    };
    let rows = match kept.fields.is_empty() {
        true => vec![],
        false => entries.iter().map(|e| row(e, &kept.fields)).collect(),
    };
    let number = |name| body.get("page")?.get(name)?.as_u64();
    Some(Page {
        keys,
        rows,
        pages: number("totalPages").unwrap_or(1) as u32,
        total: number("totalElements"),
    })
}

fn key(entry: &Value, field: &str) -> Option<String> {
    match entry.get(field)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What an entry does not have is not in its row.
fn row(entry: &Value, fields: &BTreeMap<String, String>) -> Row {
    let value = |place: &str| match place {
        "self" => id_of(entry["_links"]["self"]["href"].as_str()?),
        path if path.starts_with('$') => save::first(path, entry),
        member => entry.get(member).cloned(),
    };
    let found = fields
        .iter()
        .filter_map(|(name, place)| Some((name.clone(), value(place)?)));
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keeping(key: &str) -> Kept {
        Kept {
            key: Some(key.into()),
            fields: BTreeMap::new(),
        }
    }

    #[test]
    fn keys_are_text_or_numbers() {
        let body = json!({"_embedded": {"alarms": [{"receiver": "a"}, {"receiver": 7}]},
            "page": {"totalPages": 3, "totalElements": 1002}});
        let expected = Page {
            keys: vec!["a".into(), "7".into()],
            rows: vec![],
            pages: 3,
            total: Some(1002),
        };
        assert_eq!(page(&body, "alarms", &keeping("receiver")), Some(expected));
        assert_eq!(page(&body, "alarms", &keeping("sender")), None);
    }

    #[test]
    fn a_row_has_members_what_a_path_finds_and_the_id_of_its_own_link() {
        let entry = json!({"status": "Paid", "room": {"price": 1000},
            "_links": {"self": {"href": "http://pay:8080/payments/3"}}});
        let body = json!({"_embedded": {"payments": [entry]}});
        let fields = [
            ("id", "self"),
            ("status", "status"),
            ("price", "$.room.price"),
            ("none", "none"),
        ];
        let kept = Kept {
            key: None,
            fields: fields.map(|(k, v)| (k.to_string(), v.to_string())).into(),
        };
        let found = page(&body, "payments", &kept).unwrap();
        let expected = [
            ("id", json!(3)),
            ("price", json!(1000)),
            ("status", json!("Paid")),
        ];
        assert_eq!(
            found.rows,
            [Row::from(expected.map(|(k, v)| (k.to_string(), v)))]
        );
    }

    #[test]
    fn a_list_without_entries_or_pages_is_one_empty_page() {
        let expected = Page {
            keys: vec![],
            rows: vec![],
            pages: 1,
            total: None,
        };
        let body = json!({"_links": {}});
        assert_eq!(page(&body, "alarms", &keeping("receiver")), Some(expected));
        let other = json!({"_embedded": {"alarms": []}});
        assert_eq!(page(&other, "alrams", &keeping("receiver")), None);
    }
}
