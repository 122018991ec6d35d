//! response — one answer of each customer to each order: `ignore` at first, then what the customer chooses as long as the order runs, and
//! `deny` when the meter showed no saving. What follows from events is in `policies`.

mod policies;

use crate::events::{self, Happened, Saved};
use crate::rows::{asked_for, entity};
use kernel::{Asked, Collection, Effect, Env, Method, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A customer's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Response {
    user_id: i64,
    user_name: String,
    dr_id: String,
    answer: String,
    user_capacity: i64,
}

/// What is known of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Known {
    dr_id: String,
    is_ended: bool,
}

/// How literally the report is taken.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// A choice is told when it is made; in the report only when a response is inserted with it, which nobody does.
    tells_choices: bool,
    /// Every user gets a response; in the report only those of the first page, 20.
    reads_all_pages: bool,
}

impl Rules {
    /// As intended. As printed: both off.
    #[cfg(test)]
    const INTENDED: Rules = Rules {
        tells_choices: true,
        reads_all_pages: true,
    };
}

/// The service. `CHOICES_TOLD_ON_INSERT_ONLY` and `FIRST_PAGE_OF_USERS_ONLY` are off; on they are what the report's code does.
pub fn service(env: &Env) -> Service {
    let rules = Rules {
        tells_choices: !env.or("CHOICES_TOLD_ON_INSERT_ONLY", false),
        reads_all_pages: !env.or("FIRST_PAGE_OF_USERS_ONLY", false),
    };
    let responses = Collection::new("responses", "response")
        .completing(unanswered)
        .on_create(on_create)
        .on_update(move |id, was, is| on_update(id, was, is, rules));
    Service::new("response")
        .calls("user")
        .patient()
        .collection::<Response>(responses)
        .collection(Collection::<Known>::new("orders", "order").internal())
        .operation(Method::PUT, "/responses/{id}/accept", move |asked| {
            answer(asked, "accept", rules)
        })
        .operation(Method::PUT, "/responses/{id}/deny", move |asked| {
            answer(asked, "deny", rules)
        })
        .on_event(move |event| policies::on_event(event, rules))
}

fn unanswered(response: Response) -> Response {
    let answer = if response.answer.is_empty() {
        "ignore".to_owned()
    } else {
        response.answer
    };
    Response { answer, ..response }
}

/// A response that somebody else than an order makes: it must be one that could be there.
fn on_create(id: i64, response: &Response) -> Vec<Effect> {
    if !["ignore", "accept", "deny"].contains(&response.answer.as_str()) {
        return vec![not_an_answer(&response.answer)];
    }
    let told = response.inserted(id);
    let taken = {
        let (user_id, dr_id) = (response.user_id, response.dr_id.clone());
        Effect::look("responses", "drId", dr_id.clone(), move |rows| {
            if has_answer(rows, user_id) {
                let why = format!("user {user_id} has a response to order {dr_id}");
                vec![Effect::refuse(409, why)]
            } else {
                told.clone()
            }
        })
    };
    vec![while_it_runs(&response.dr_id, vec![taken])]
}

/// Only the answer can change, and only while the order runs.
fn on_update(id: i64, was: &Response, is: &Response, rules: Rules) -> Vec<Effect> {
    let with_answer = Response {
        answer: is.answer.clone(),
        ..was.clone()
    };
    if *is != with_answer {
        return vec![Effect::refuse(
            409,
            "of a response only the answer can change",
        )];
    }
    match is.answer.as_str() {
        same if same == was.answer => vec![],
        "accept" | "deny" => vec![while_it_runs(&is.dr_id, is.chosen(id, rules))],
        other => vec![not_an_answer(other)],
    }
}

fn answer(asked: &Asked, answer: &'static str, rules: Rules) -> Vec<Effect> {
    asked_for(asked, "responses", move |id, was: Response| {
        let is = Response {
            answer: answer.to_owned(),
            ..was.clone()
        };
        let reply = Effect::reply(&entity(id, &is));
        let change = Effect::change("responses", "id", id, json!({"answer": answer}));
        if was.answer == answer {
            return vec![reply];
        }
        let effects = [is.chosen(id, rules), vec![change, reply]].concat();
        vec![while_it_runs(&is.dr_id, effects)]
    })
}

/// These, unless the order has ended.
fn while_it_runs(dr_id: &str, effects: Vec<Effect>) -> Effect {
    let why = format!("order {dr_id} has ended");
    Effect::look("orders", "drId", dr_id, move |orders| {
        if orders.iter().any(|row| row.typed::<Known>().is_ended) {
            vec![Effect::refuse(409, why.as_str())]
        } else {
            effects.clone()
        }
    })
}

fn not_an_answer(answer: &str) -> Effect {
    Effect::refuse(400, format!("answer: {answer} is neither accept nor deny"))
}

fn has_answer(rows: &[Row], user_id: i64) -> bool {
    rows.iter()
        .any(|row| row.typed::<Response>().user_id == user_id)
}

impl Response {
    /// The insert hook, in the order of the report.
    fn inserted(&self, id: i64) -> Vec<Effect> {
        let made = Happened::Listmade(self.told(id)).told();
        let saved = self.saved(id, "start");
        [made, saved].into_iter().chain(self.choice(id)).collect()
    }

    /// What follows from a change to this answer.
    fn chosen(&self, id: i64, rules: Rules) -> Vec<Effect> {
        let choice = self.choice(id).filter(|_| rules.tells_choices);
        choice.into_iter().collect()
    }

    fn choice(&self, id: i64) -> Option<Effect> {
        match self.answer.as_str() {
            "accept" => Some(Happened::AcceptChosen(self.told(id)).told()),
            "deny" => Some(Happened::DenyChosen(self.told(id)).told()),
            _ => None,
        }
    }

    fn saved(&self, id: i64, phase: &str) -> Effect {
        let saved = Saved {
            response: self.told(id),
            phase: phase.to_owned(),
        };
        Happened::Listsaved(saved).told()
    }

    fn told(&self, id: i64) -> events::Response {
        let Response {
            user_id,
            user_name,
            dr_id,
            answer,
            user_capacity,
        } = self.clone();
        events::Response {
            id,
            user_id,
            user_name,
            dr_id,
            answer,
            user_capacity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::{looked, row};

    const PRINTED: Rules = Rules {
        tells_choices: false,
        reads_all_pages: false,
    };

    fn response(answer: &str) -> Response {
        Response {
            user_id: 7,
            user_name: "강감찬".into(),
            dr_id: "1".into(),
            answer: answer.into(),
            user_capacity: 100,
        }
    }

    fn order(is_ended: bool) -> Row {
        row(1, &json!({"drId": "1", "isEnded": is_ended}))
    }

    #[test]
    fn an_inserted_response_is_told_in_the_order_of_the_report() {
        let accept = response("accept");
        let told = || accept.told(3);
        let saved = Saved {
            response: told(),
            phase: "start".into(),
        };
        let expected = [
            Happened::Listmade(told()).told(),
            Happened::Listsaved(saved).told(),
            Happened::AcceptChosen(told()).told(),
        ];
        assert_eq!(accept.inserted(3), expected);
        assert_eq!(response("ignore").inserted(3).len(), 2);
    }

    #[test]
    fn a_choice_is_told_when_it_is_made_or_as_printed_never() {
        let choose = |rules| on_update(3, &response("ignore"), &response("accept"), rules);
        let told = Happened::AcceptChosen(response("accept").told(3)).told();
        assert_eq!(looked(&choose(Rules::INTENDED), &[order(false)]), [told]);
        assert_eq!(looked(&choose(PRINTED), &[order(false)]), []);
    }

    #[test]
    fn nobody_can_choose_after_the_end() {
        let refused = Effect::refuse(409, "order 1 has ended");
        let choose = on_update(3, &response("ignore"), &response("accept"), Rules::INTENDED);
        assert_eq!(looked(&choose, &[order(true)]), [refused]);
    }

    #[test]
    fn of_a_response_only_the_answer_can_change_to_what_is_one() {
        let change = |is: Response| on_update(3, &response("ignore"), &is, Rules::INTENDED);
        let other = Response {
            user_id: 8,
            ..response("accept")
        };
        assert!(matches!(change(other)[..], [Effect::Refuse(_)]));
        let refused = Effect::refuse(400, "answer: maybe is neither accept nor deny");
        assert_eq!(change(response("maybe")), [refused]);
        assert_eq!(change(response("ignore")), []);
    }
}
