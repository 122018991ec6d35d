//! correlation — one id from the first request to the last event, so that a flow can be followed through every service.

use http::HeaderMap;

/// The header that carries the id.
pub const HEADER: &str = "x-correlation-id";
/// Longer ids from outside are not taken over.
const LENGTH_MAX: usize = 64;

/// The id of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation(String);

impl Correlation {
    /// A flow that starts here.
    pub fn new() -> Correlation {
        Correlation(format!("{:016x}", rand::random::<u64>()))
    }

    /// The id a request came with, or a new one where there is none, or none that could stand in a log line.
    pub fn of_headers(headers: &HeaderMap) -> Correlation {
        let given = headers.get(HEADER).and_then(|id| id.to_str().ok());
        let is_usable = |id: &&str| {
            !id.is_empty() && id.len() <= LENGTH_MAX && !id.contains(char::is_whitespace)
        };
        given
            .filter(is_usable)
            .map_or_else(Correlation::new, |id| Correlation(id.to_owned()))
    }

    /// The flow an event belongs to.
    pub fn of_event(event: &crate::event::Event) -> Correlation {
        Correlation(event.correlation_id.clone())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
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
