//! What a report says of an outage that was planted, beside how it was.
use super::super::truth::Outage;
use model::{Doubt, Micros, Window};
use std::fmt;

/// An edge may be so much off, whatever the rate: a request needs a little time from the load to the server.
const EDGE_MIN: Micros = Micros::from_millis(5);

/// What it says of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Requests failed from when it began to when it was over, two requests more or less; where more, that time is in doubt.
    Found,
    /// All of it lies in time that does not speak for the system.
    InDoubt,
    /// Requests failed while it lasted, and the report has it begin or end at another time.
    Misplaced { by: Micros },
    /// Nothing.
    Missed,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Found => f.write_str("found"),
            Told::InDoubt => f.write_str("in doubt"),
            Told::Misplaced { by } => write!(f, "misplaced by {by}"),
            Told::Missed => f.write_str("missed"),
        }
    }
}

type Span = (Micros, Micros);

/// `gap` is from one request to the next.
pub fn told(truth: &Outage, windows: &[Window], doubts: &[Doubt], gap: Micros) -> Told {
    let slack = EDGE_MIN.max(Micros(gap.0 * 2));
    let doubts: Vec<Span> = doubts.iter().map(|d| (d.from, d.to)).collect();
    let lies_in_doubt = |span: Span| unaccounted(span, &doubts) <= gap;
    let met: Vec<&Window> = windows
        .iter()
        // What was on its way when it began may be all that failed.
        .filter(|w| w.from < truth.to + slack && truth.from < w.to + slack)
        .collect();
    let (Some(first), Some(last)) = (met.first(), met.last()) else {
        return match lies_in_doubt((truth.from, truth.to)) {
            true => Told::InDoubt,
            false => Told::Missed,
        };
    };
    let edges = [(truth.from, first.from), (truth.to, last.to)];
    let off = edges.map(|(a, b)| (a.min(b), a.max(b)));
    let off = off
        .into_iter()
        .filter(|(from, to)| to.saturating_sub(*from) > slack && !lies_in_doubt((*from, *to)));
    match off.map(|(from, to)| to - from).max() {
        None => Told::Found,
        Some(by) => Told::Misplaced { by },
    }
}

/// Windows in which there was no outage, and which are not in doubt.
pub fn phantoms<'w>(
    windows: &'w [Window],
    truths: &[Outage],
    doubts: &[Doubt],
    gap: Micros,
) -> Vec<&'w Window> {
    let slack = EDGE_MIN.max(Micros(gap.0 * 2));
    let planted = truths
        .iter()
        .map(|t| (t.from.saturating_sub(slack), t.to + slack));
    let doubted = doubts.iter().map(|d| (d.from, d.to));
    let known: Vec<Span> = planted.chain(doubted).collect();
    let meets = |w: &&Window| {
        known
            .iter()
            .any(|(from, to)| w.from <= *to && *from <= w.to)
    };
    windows.iter().filter(|w| !meets(w)).collect()
}

/// How much of a span lies in none of these.
fn unaccounted((from, to): Span, of: &[Span]) -> Micros {
    let mut of = of.to_vec();
    of.sort_unstable();
    let mut left = Micros::ZERO;
    let mut reached = from;
    for (begin, end) in of {
        if begin > reached {
            left = left + (begin.min(to).saturating_sub(reached));
        }
        reached = reached.max(end).min(to);
    }
    left + to.saturating_sub(reached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Whose, WindowState};

    const fn ms(n: u64) -> Micros {
        Micros::from_millis(n)
    }

    /// From 2.0 to 2.1 s.
    fn truth() -> Outage {
        Outage {
            kind: "503".into(),
            from: ms(2000),
            to: ms(2100),
        }
    }

    fn window(from: u64, to: u64) -> Window {
        Window {
            step: "customers".into(),
            from: ms(from),
            to: ms(to),
            state: WindowState::Down,
            failed: 10,
            good: 0,
            kinds: vec![],
            open_ended: false,
            fault: None,
        }
    }

    fn doubt(from: u64, to: u64) -> Doubt {
        Doubt {
            step: "customers".into(),
            from: ms(from),
            to: ms(to),
            whose: Whose::Unknown,
            because: String::new(),
        }
    }

    fn of(windows: &[Window], doubts: &[Doubt]) -> Told {
        told(&truth(), windows, doubts, ms(5))
    }

    #[test]
    fn an_outage_is_found_where_it_was_by_two_requests_more_or_less() {
        assert_eq!(of(&[window(2004, 2108)], &[]), Told::Found);
        assert_eq!(of(&[window(1990, 2110)], &[]), Told::Found);
        assert_eq!(
            of(&[window(2004, 2150)], &[]),
            Told::Misplaced { by: ms(50) }
        );
        assert_eq!(
            of(&[window(2030, 2100)], &[]),
            Told::Misplaced { by: ms(30) }
        );
        assert_eq!(of(&[window(1000, 1900)], &[]), Told::Missed);
    }

    #[test]
    fn a_request_that_was_on_its_way_when_an_outage_began_is_of_that_outage() {
        let on_its_way = of(&[window(1996, 1998)], &[]);
        assert_eq!(on_its_way, Told::Misplaced { by: ms(102) });
    }

    #[test]
    fn an_edge_may_be_anywhere_in_time_that_is_in_doubt() {
        assert_eq!(of(&[window(2004, 2150)], &[doubt(2095, 2160)]), Told::Found);
        let in_part = of(&[window(2004, 2150)], &[doubt(2095, 2120)]);
        assert_eq!(in_part, Told::Misplaced { by: ms(50) });
    }

    #[test]
    fn an_outage_is_in_doubt_where_all_of_it_is_but_for_a_request() {
        assert_eq!(
            of(&[], &[doubt(1990, 2040), doubt(2044, 2200)]),
            Told::InDoubt
        );
        assert_eq!(
            of(&[], &[doubt(1990, 2040), doubt(2060, 2200)]),
            Told::Missed
        );
        assert_eq!(of(&[], &[]), Told::Missed);
    }

    #[test]
    fn a_window_is_a_phantom_where_there_was_nothing() {
        let phantoms =
            |w: Window, doubts: &[Doubt]| phantoms(&[w], &[truth()], doubts, ms(5)).len();
        assert_eq!(phantoms(window(2050, 2060), &[]), 0);
        assert_eq!(phantoms(window(1000, 1100), &[]), 1);
        assert_eq!(phantoms(window(1000, 1100), &[doubt(900, 1050)]), 0);
    }
}
