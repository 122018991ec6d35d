//! outbox — events that still have to leave, those that were handled, and those that undo what may be left unfinished.

use super::statements::sql;
use super::{Store, StoreError};
use crate::event::Event;
use serde::Deserialize;
use sqlx::Row as _;
use std::borrow::Cow;

/// Sent events that are kept for a look; older ones are removed.
const SENT_KEPT: i64 = 1000;

/// An event that has not been acknowledged by the broker yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its place in the order of commits.
    pub number: i64,
    /// The business key.
    pub key: String,
    /// The event as it is sent.
    pub payload: String,
    /// Where in its trace it was published, as W3C's header says it.
    pub traceparent: String,
}

impl Waiting {
    /// What kind of event it is; empty when it does not say.
    pub fn kind(&self) -> Cow<'_, str> {
        #[derive(Deserialize)]
        struct Typed<'a> {
            #[serde(borrow, rename = "eventType")]
            kind: Cow<'a, str>,
        }
        serde_json::from_str::<Typed<'_>>(&self.payload)
            .map_or_else(|_| "".into(), |typed| typed.kind)
    }
}

impl Store {
    /// Whether an event has been handled.
    pub async fn has_handled(&self, event_id: &str) -> Result<bool, StoreError> {
        let found = sql("SELECT 1 FROM handled WHERE event_id = $1".to_owned())
            .bind(event_id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// Notes an event that is to be told if what is begun now does not come to its end.
    pub async fn note_undo(&self, event: &Event) -> Result<(), StoreError> {
        sql("INSERT INTO undo (event_id, payload) VALUES ($1, $2)".to_owned())
            .bind(event.event_id.as_str())
            .bind(event.to_json())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The events noted by [`Store::note_undo`] that nobody has struck out. At a start: what the process before did not finish.
    pub async fn undos(&self) -> Result<Vec<Event>, StoreError> {
        let rows = sql("SELECT payload FROM undo ORDER BY event_id".to_owned())
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let payload: String = row.try_get(0)?;
                Event::from_json(payload.as_bytes()).map_err(|why| StoreError::Decode(why.into()))
            })
            .collect()
    }

    /// Tells an event noted by [`Store::note_undo`], unless it has been struck out since.
    pub async fn tell_undo(&self, event: &Event, traceparent: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if transaction.strike_undo(&event.event_id).await? {
            transaction.publish(event, traceparent).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// The oldest events that have not left, in the order they were committed.
    pub async fn waiting(&self, limit: i64) -> Result<Vec<Waiting>, StoreError> {
        let rows = sql(
            "SELECT number, key, payload, traceparent FROM outbox WHERE sent = 0 ORDER BY number LIMIT $1"
                .to_owned(),
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting {
                    number: row.try_get(0)?,
                    key: row.try_get(1)?,
                    payload: row.try_get(2)?,
                    traceparent: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Notes that every event up to `number` has left, and forgets those sent long ago.
    pub async fn sent_up_to(&self, number: i64) -> Result<(), StoreError> {
        sql("UPDATE outbox SET sent = 1 WHERE number <= $1 AND sent = 0".to_owned())
            .bind(number)
            .execute(&self.pool)
            .await?;
        sql("DELETE FROM outbox WHERE number <= $1".to_owned())
            .bind(number - SENT_KEPT)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
