//! kepco — the power company's part: when an order has ended, it looks at the meters of those who said they would comply, and tells
//! what was really saved.
//!
//! A meter is behind a port with two adapters: readings in kepco's own table, noted by `PUT /meters/{userId}`, or, with `METER_URL`,
//! an API outside that answers `GET /meters/{userId}` as kepco itself does. While that does not answer, checks wait.

use crate::events::{Check, Happened, Response};
use kernel::{Asked, Call, Collection, Effect, Env, Method, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Kepco {
    response_id: i64,
    user_id: i64,
    dr_id: String,
    capacity: i64,
    reduced_amount: i64,
    is_real: bool,
}

/// What a customer's meter shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meter {
    user_id: i64,
    /// In kW.
    used_kw: i64,
}

/// Where readings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// kepco's own table.
    Table,
    /// An API outside.
    Api,
}

/// The service.
pub fn service(env: &Env) -> Service {
    let source = match env.get::<String>("METER_URL") {
        Some(_) => Source::Api,
        None => Source::Table,
    };
    Service::new("kepco")
        .calls("meter")
        .patient()
        .collection(Collection::<Kepco>::new("kepcos", "kepco"))
        .collection(Collection::<Meter>::new("meters", "meter").internal())
        .operation(Method::GET, "/meters/{userId}", shown)
        .operation(Method::PUT, "/meters/{userId}", noted)
        .on_event(move |event| on_event(event, source))
}

/// The last reading; null if there is none.
fn shown(asked: &Asked) -> Vec<Effect> {
    let user_id = match asked.number("userId") {
        Ok(user_id) => user_id,
        Err(refusal) => return vec![refusal.into()],
    };
    vec![Effect::look("meters", "userId", user_id, move |meters| {
        let used = used(meters);
        vec![Effect::reply(&json!({"userId": user_id, "usedKw": used}))]
    })]
}

fn noted(asked: &Asked) -> Vec<Effect> {
    let meter = asked.number("userId").and_then(|user_id| {
        let meter: Meter = asked.resource()?;
        Ok(Meter { user_id, ..meter })
    });
    match meter {
        Ok(meter) if meter.used_kw < 0 => {
            let why = format!("usedKw: {} is less than nothing", meter.used_kw);
            vec![Effect::refuse(400, why)]
        }
        Ok(meter) => vec![
            Effect::upsert("meters", "userId", meter.user_id, json!(meter)),
            Effect::reply(&meter),
        ],
        Err(refusal) => vec![refusal.into()],
    }
}

fn used(meters: &[Row]) -> Option<i64> {
    meters.first().map(|row| row.typed::<Meter>().used_kw)
}

/// Only those who accepted are checked, and only at the end.
fn on_event(event: &Happened, source: Source) -> Vec<Effect> {
    let Happened::Listsaved(saved) = event else {
        return vec![];
    };
    if saved.phase != "end" || saved.response.answer != "accept" {
        return vec![];
    }
    let response = saved.response.clone();
    let user_id = response.user_id;
    match source {
        Source::Table => vec![Effect::look("meters", "userId", user_id, move |meters| {
            checked_once(&response, used(meters))
        })],
        Source::Api => {
            let call = Call::get("meter", format!("/meters/{user_id}"));
            vec![Effect::ask(call, move |answer| {
                checked_once(&response, answer["usedKw"].as_i64())
            })]
        }
    }
}

/// One check a response, however often it is asked for.
fn checked_once(response: &Response, used: Option<i64>) -> Vec<Effect> {
    let kepco = Kepco::of(response, used);
    vec![Effect::look(
        "kepcos",
        "responseId",
        response.id,
        move |rows| {
            if !rows.is_empty() {
                return vec![];
            }
            let found = kepco.clone();
            vec![Effect::create("kepcos", &kepco, move |id| {
                vec![Happened::ReductionCheck(found.told(id)).told()]
            })]
        },
    )]
}

impl Kepco {
    /// What is used less than the capacity is saved. A meter that nobody read shows no saving.
    fn of(response: &Response, used: Option<i64>) -> Kepco {
        let Response {
            id: response_id,
            user_id,
            dr_id,
            user_capacity: capacity,
            ..
        } = response.clone();
        let reduced_amount = used.map_or(0, |used| (capacity - used).max(0));
        Kepco {
            response_id,
            user_id,
            dr_id,
            capacity,
            reduced_amount,
            is_real: reduced_amount > 0,
        }
    }

    fn told(&self, id: i64) -> Check {
        let Kepco {
            response_id,
            user_id,
            dr_id,
            reduced_amount,
            is_real,
            ..
        } = self.clone();
        Check {
            id,
            response_id,
            user_id,
            dr_id,
            is_real,
            reduced_amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Saved;
    use crate::rows::tests::{created, looked, row};

    fn response(answer: &str) -> Response {
        Response {
            id: 2,
            user_id: 7,
            user_name: "강감찬".into(),
            dr_id: "1".into(),
            answer: answer.into(),
            user_capacity: 100,
        }
    }

    fn saved(answer: &str, phase: &str) -> Happened {
        Happened::Listsaved(Saved {
            response: response(answer),
            phase: phase.into(),
        })
    }

    #[test]
    fn who_accepted_is_checked_at_the_end_and_nobody_else() {
        for (answer, phase) in [("accept", "start"), ("ignore", "end"), ("deny", "end")] {
            assert_eq!(on_event(&saved(answer, phase), Source::Table), []);
        }
        let effects = on_event(&saved("accept", "end"), Source::Table);
        let meter = row(1, &json!({"userId": 7, "usedKw": 40}));
        let effects = looked(&looked(&effects, &[meter]), &[]);
        let check = Check {
            id: 3,
            response_id: 2,
            user_id: 7,
            dr_id: "1".into(),
            is_real: true,
            reduced_amount: 60,
        };
        let told = Happened::ReductionCheck(check).told();
        assert_eq!(created(&effects, 3), [told]);
    }

    #[test]
    fn a_response_is_checked_once() {
        let known = json!(Kepco::of(&response("accept"), Some(40)));
        let effects = checked_once(&response("accept"), Some(10));
        assert_eq!(looked(&effects, &[row(1, &known)]), []);
    }

    #[test]
    fn what_is_used_less_than_the_capacity_is_saved() {
        let found = |used| {
            let kepco = Kepco::of(&response("accept"), used);
            (kepco.reduced_amount, kepco.is_real)
        };
        assert_eq!(found(Some(40)), (60, true));
        assert_eq!(found(Some(0)), (100, true));
        assert_eq!(found(Some(100)), (0, false));
        assert_eq!(found(Some(130)), (0, false));
        assert_eq!(found(None), (0, false));
    }

    #[test]
    fn the_meter_may_be_asked_outside() {
        let effects = on_event(&saved("accept", "end"), Source::Api);
        let [Effect::Ask { call, then }] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(*call, Call::get("meter", "/meters/7"));
        let answer = json!({"userId": 7, "usedKw": 40});
        let effects = looked(&then.given(&answer), &[]);
        let Effect::Create { fields, .. } = &effects[0] else {
            panic!("{effects:?}")
        };
        assert_eq!(fields["reducedAmount"], 60);
    }
}
