//! correlation — one id from the first request to the last event, so that a flow can be followed through every service; and W3C's trace
//! beside it.

use crate::telemetry::trace::Place;
use http::HeaderMap;

/// The header that carries the id.
pub const HEADER: &str = "x-correlation-id";
/// Longer ids from outside are not taken over.
const LENGTH_MAX: usize = 64;

/// The id of a flow, and where in its trace the work on it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation {
    id: String,
    place: Place,
}

impl Correlation {
    /// A flow that starts here.
    pub fn new() -> Correlation {
        Correlation {
            id: format!("{:016x}", rand::random::<u64>()),
            place: Place::new(),
        }
    }

    /// The id a request came with, or a new one where there is none, or none that could stand in a log line.
    pub fn of_headers(headers: &HeaderMap) -> Correlation {
        let given = headers.get(HEADER).and_then(|id| id.to_str().ok());
        let is_usable = |id: &&str| {
            !id.is_empty() && id.len() <= LENGTH_MAX && !id.contains(char::is_whitespace)
        };
        let new = Correlation::new();
        Correlation {
            id: given.filter(is_usable).map_or(new.id, str::to_owned),
            place: Place::of_headers(headers),
        }
    }

    /// The flow an event belongs to.
    pub fn of_event(event: &crate::event::Event) -> Correlation {
        Correlation {
            id: event.correlation_id.clone(),
            place: Place::new(),
        }
    }

    /// The same flow, elsewhere in a trace.
    pub(crate) fn at(self, place: Place) -> Correlation {
        Correlation { place, ..self }
    }

    /// Where in its trace it is.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.id
    }
}

impl Default for Correlation {
    fn default() -> Correlation {
        Correlation::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static str) -> Correlation {
        Correlation::of_headers(&HeaderMap::from_iter([(
            HEADER.parse().unwrap(),
            value.parse().unwrap(),
        )]))
    }

    #[test]
    fn the_id_of_a_request_is_kept_if_it_can_stand_in_a_log_line() {
        assert_eq!(of("flow-7").as_str(), "flow-7");
        assert_ne!(of("two words").as_str(), "two words");
        assert_eq!(of("").as_str().len(), 16);
    }
}
