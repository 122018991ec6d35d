//! event — what happened, as it travels: one flat JSON object, the way the reports' services sent theirs.

use crate::effect::News;
use crate::shape::Fields;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An event with everything that is needed to follow it and to handle it once.
///
/// On the wire: `{"eventId":…,"correlationId":…,"key":…,"timestamp":…,"eventType":…, …}`, the event's own fields after these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Different for every event; the same for every copy of one.
    pub event_id: String,
    /// The id of the request that started it all.
    pub correlation_id: String,
    /// The business key: events of one key stay in order.
    pub key: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The event's own fields, `eventType` among them.
    #[serde(flatten)]
    pub fields: Fields,
}

impl Event {
    /// Makes news an event, with an id of its own.
    pub fn new(news: &News, correlation_id: &str, timestamp: Timestamp) -> Event {
        Event {
            event_id: format!("{:032x}", rand::random::<u128>()),
            correlation_id: correlation_id.to_owned(),
            key: news.key.clone(),
            timestamp,
            fields: news.fields.clone(),
        }
    }

    /// What kind of event it is; empty when it does not say.
    pub fn kind(&self) -> &str {
        self.fields
            .get("eventType")
            .and_then(|kind| kind.as_str())
            .unwrap_or_default()
    }

    /// The event's own fields as a type of the domain: an enum tagged with `eventType`.
    pub fn read<E: DeserializeOwned>(&self) -> Result<E, serde_json::Error> {
        crate::shape::typed(&self.fields)
    }

    /// The event as it is sent.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event is made of texts and JSON")
    }

    /// Reads an event as it was sent.
    pub fn from_json(text: &[u8]) -> Result<Event, serde_json::Error> {
        serde_json::from_slice(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effect;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "eventType")]
    enum Happened {
        AuthApproved {
            host: String,
        },
        #[serde(other)]
        SomethingElse,
    }

    #[test]
    fn an_event_travels_flat_and_comes_back() {
        let Effect::Publish(news) = Effect::publish(
            7,
            &Happened::AuthApproved {
                host: "Superman".into(),
            },
        ) else {
            unreachable!()
        };
        let event = Event {
            event_id: "e1".into(),
            ..Event::new(&news, "c1", "2020-08-05T12:33:03Z".parse().unwrap())
        };
        let json = r#"{"eventId":"e1","correlationId":"c1","key":"7","timestamp":"2020-08-05T12:33:03Z","eventType":"AuthApproved","host":"Superman"}"#;
        assert_eq!(event.to_json(), json);
        assert_eq!(Event::from_json(json.as_bytes()).unwrap(), event);
        assert_eq!(
            event.read::<Happened>().unwrap(),
            Happened::AuthApproved {
                host: "Superman".into()
            }
        );
        assert_eq!(event.kind(), "AuthApproved");
    }

    #[test]
    fn an_event_of_another_kind_is_something_else() {
        let event = Event::from_json(br#"{"eventId":"e","correlationId":"c","key":"","timestamp":"2020-08-05T12:33:03Z","eventType":"Rained"}"#);
        assert_eq!(
            event.unwrap().read::<Happened>().unwrap(),
            Happened::SomethingElse
        );
    }
}
