//! policies — what response does on events, under the names of the report: `makelist`, `savelist`, `updateResponse`.

use super::{Response, Rules, has_answer};
use crate::events::{Check, Happened, Order};
use kernel::{Call, Effect, Row};
use serde_json::{Value, json};

/// How many users are asked for at once: as many as one answer has room for.
const USERS_A_PAGE: u64 = 1000;

pub(super) fn on_event(event: &Happened, rules: Rules) -> Vec<Effect> {
    match event {
        Happened::DRstarted(order) => vec![users_asked(order.id, 0, rules)],
        Happened::DrEnded(order) => savelist(order),
        Happened::ReductionCheck(check) if !check.is_real => update_response(check),
        _ => vec![],
    }
}

/// `makelist`: one response for each user, a page of users at a time. It is all written together, or not at all.
fn users_asked(dr_id: i64, page: u64, rules: Rules) -> Effect {
    let path = if rules.reads_all_pages {
        format!("/users?page={page}&size={USERS_A_PAGE}")
    } else {
        "/users".to_owned()
    };
    Effect::ask(Call::get("user", path), move |answer| {
        let made = made(dr_id, &answer["_embedded"]["users"]);
        let pages = answer["page"]["totalPages"].as_u64().unwrap_or(0);
        let next = (rules.reads_all_pages && page + 1 < pages)
            .then(|| users_asked(dr_id, page + 1, rules));
        [made].into_iter().chain(next).collect()
    })
}

/// Responses for those users of a page who have none.
fn made(dr_id: i64, users: &Value) -> Effect {
    let users = users.as_array().cloned().unwrap_or_default();
    let responses: Vec<_> = users
        .iter()
        .filter_map(|user| Response::of_user(dr_id, user))
        .collect();
    Effect::look("responses", "drId", dr_id.to_string(), move |rows| {
        let new = responses
            .iter()
            .filter(|response| !has_answer(rows, response.user_id));
        new.map(|response| {
            let inserted = response.clone();
            Effect::create("responses", response, move |id| inserted.inserted(id))
        })
        .collect()
    })
}

/// `savelist`: nobody can choose any more, and every response is told once again.
fn savelist(order: &Order) -> Vec<Effect> {
    let dr_id = order.id.to_string();
    let ended = Effect::upsert("orders", "drId", dr_id.as_str(), json!({"isEnded": true}));
    let saved = Effect::look("responses", "drId", dr_id, |rows| {
        rows.iter()
            .map(|row| row.typed::<Response>().saved(row.id, "end"))
            .collect()
    });
    vec![ended, saved]
}

/// `updateResponse`. The report looks for the check's own id and compares it with `responseId`; here it is `responseId` that counts.
fn update_response(check: &Check) -> Vec<Effect> {
    let id = check.response_id;
    vec![Effect::look("responses", "id", id, move |rows| {
        let Some(response) = rows.first().map(Row::typed::<Response>) else {
            return vec![];
        };
        let line = format!("{}did not execute reduction", response.user_name);
        let change = Effect::change("responses", "id", id, json!({"answer": "deny"}));
        vec![Effect::Log(line), change]
    })]
}

impl Response {
    /// A user as the list of users has it: its id is only in its link.
    fn of_user(dr_id: i64, user: &Value) -> Option<Response> {
        let href = user["_links"]["self"]["href"].as_str()?;
        Some(Response {
            user_id: href.rsplit('/').next()?.parse().ok()?,
            user_name: user["name"].as_str()?.to_owned(),
            dr_id: dr_id.to_string(),
            answer: "ignore".to_owned(),
            user_capacity: user["capacity"].as_i64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::{created, looked, row};

    const PRINTED: Rules = Rules {
        tells_choices: false,
        reads_all_pages: false,
    };

    fn users(pages: u64) -> Value {
        let link = |id: i64| json!({"self": {"href": format!("http://user:8080/users/{id}")}});
        let user = |id: i64, name: &str, capacity: i64| json!({"name": name, "capacity": capacity, "point": 0, "_links": link(id)});
        let users = [user(7, "강감찬", 100), user(8, "을지문덕", 50)];
        json!({"_embedded": {"users": users}, "page": {"totalPages": pages}})
    }

    fn asked(effect: &Effect, answer: &Value) -> (String, Vec<Effect>) {
        match effect {
            Effect::Ask { call, then } => (call.path.clone(), then.given(answer)),
            other => panic!("nobody is asked: {other:?}"),
        }
    }

    fn response(answer: &str) -> Response {
        Response {
            user_id: 7,
            user_name: "강감찬".into(),
            dr_id: "1".into(),
            answer: answer.into(),
            user_capacity: 100,
        }
    }

    fn kind(effect: &Effect) -> &Value {
        match effect {
            Effect::Publish(news) => &news.fields["eventType"],
            other => panic!("nothing is told: {other:?}"),
        }
    }

    #[test]
    fn an_order_makes_a_response_for_each_user_and_tells_it_twice() {
        let effects = on_event(
            &Happened::DRstarted(Order {
                id: 1,
                ..Order::default()
            }),
            Rules::INTENDED,
        );
        let (path, follows) = asked(&effects[0], &users(1));
        assert_eq!(path, "/users?page=0&size=1000");
        let new = looked(&follows, &[]);
        let fields = |effect: &Effect| match effect {
            Effect::Create { fields, .. } => Value::Object(fields.clone()),
            other => panic!("not a new row: {other:?}"),
        };
        assert_eq!(fields(&new[0]), json!(response("ignore")));
        assert_eq!(fields(&new[1])["userId"], 8);
        let told = created(&new[..1], 3);
        let told: Vec<_> = told.iter().map(kind).collect();
        assert_eq!(told, ["Listmade", "Listsaved"]);
    }

    #[test]
    fn a_user_has_one_response_to_an_order() {
        let (_, follows) = asked(&users_asked(1, 0, Rules::INTENDED), &users(1));
        let new = looked(&follows, &[row(3, &json!(response("accept")))]);
        assert_eq!(new.len(), 1);
    }

    #[test]
    fn all_pages_of_users_are_read_or_as_printed_the_first() {
        let (_, follows) = asked(&users_asked(1, 0, Rules::INTENDED), &users(2));
        let (path, follows) = asked(&follows[1], &users(2));
        assert_eq!(
            (path.as_str(), follows.len()),
            ("/users?page=1&size=1000", 1)
        );
        let (path, follows) = asked(&users_asked(1, 0, PRINTED), &users(2));
        assert_eq!((path.as_str(), follows.len()), ("/users", 1));
    }

    #[test]
    fn what_was_not_carried_out_is_denied() {
        let check = |is_real| {
            let check = Check {
                id: 9,
                response_id: 3,
                is_real,
                ..Check::default()
            };
            on_event(&Happened::ReductionCheck(check), Rules::INTENDED)
        };
        let line = "강감찬did not execute reduction".to_owned();
        let change = Effect::change("responses", "id", 3, json!({"answer": "deny"}));
        let seen = [row(3, &json!(response("accept")))];
        assert_eq!(looked(&check(false), &seen), [Effect::Log(line), change]);
        assert_eq!(check(true), []);
    }

    #[test]
    fn the_end_of_an_order_tells_every_response_and_changes_none() {
        let effects = savelist(&Order {
            id: 1,
            ..Order::default()
        });
        let seen = [
            row(3, &json!(response("accept"))),
            row(4, &json!(response("ignore"))),
        ];
        let told = looked(&effects[1..], &seen);
        assert_eq!(
            told,
            [
                response("accept").saved(3, "end"),
                response("ignore").saved(4, "end")
            ]
        );
    }
}
