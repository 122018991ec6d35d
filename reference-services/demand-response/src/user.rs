//! user — customers, what they could do without, and the points they have for it.

use crate::events::{Check, Happened, Points};
use kernel::{Collection, Effect, Row, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// No customer uses more, in kW: points stay far from the largest number there is.
const CAPACITY_MAX: i64 = 1_000_000_000;

/// A customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    name: String,
    /// In kW.
    capacity: i64,
    /// One for each kW that was really saved.
    point: i64,
}

/// For which response points were given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Credit {
    response_id: i64,
}

/// The service.
pub fn service() -> Service {
    let users = Collection::new("users", "user")
        .completing(|user: User| User { point: 0, ..user })
        .on_create(|_, user: &User| checked(user))
        .on_update(on_update);
    Service::new("user")
        .collection::<User>(users)
        .collection(Collection::<Credit>::new("credits", "credit").internal())
        .on_event(on_event)
}

fn checked(user: &User) -> Vec<Effect> {
    let why = match user {
        User { name, .. } if name.trim().is_empty() => "name: say who it is".to_owned(),
        User { capacity, .. } if !(1..=CAPACITY_MAX).contains(capacity) => {
            format!("capacity: {capacity} is not from 1 to {CAPACITY_MAX} kW")
        }
        _ => return vec![],
    };
    vec![Effect::refuse(400, why)]
}

fn on_update(_: i64, was: &User, is: &User) -> Vec<Effect> {
    if was.point == is.point {
        checked(is)
    } else {
        vec![Effect::refuse(409, "points follow from what was saved")]
    }
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::ReductionCheck(check) if check.is_real => {
            let check = check.clone();
            vec![Effect::look(
                "credits",
                "responseId",
                check.response_id,
                move |credits| credited(&check, credits),
            )]
        }
        _ => vec![],
    }
}

/// Once for each response, however often it is said.
fn credited(check: &Check, credits: &[Row]) -> Vec<Effect> {
    if !credits.is_empty() {
        return vec![];
    }
    let check = check.clone();
    let user_id = check.user_id;
    vec![Effect::look("users", "id", user_id, move |users| {
        let Some(user) = users.first().map(Row::typed::<User>) else {
            let amount = check.reduced_amount;
            let line = format!("user {user_id} is gone, and {amount} points with it");
            return vec![Effect::Log(line)];
        };
        let points = Points {
            user_id,
            response_id: check.response_id,
            added: check.reduced_amount,
            point: user.point + check.reduced_amount,
        };
        let credit = Credit {
            response_id: check.response_id,
        };
        vec![
            Effect::save("credits", &credit),
            Effect::change("users", "id", user_id, json!({"point": points.point})),
            Happened::PointAdded(points).told(),
        ]
    })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::{looked, row};

    fn user(name: &str, capacity: i64, point: i64) -> User {
        let name = name.into();
        User {
            name,
            capacity,
            point,
        }
    }

    fn check(is_real: bool) -> Happened {
        Happened::ReductionCheck(Check {
            id: 3,
            response_id: 2,
            user_id: 7,
            dr_id: "1".into(),
            is_real,
            reduced_amount: 60,
        })
    }

    #[test]
    fn points_grow_by_what_was_really_saved_once() {
        let effects = on_event(&check(true));
        let first = looked(&effects, &[]);
        let seen = [row(7, &json!(user("강감찬", 100, 40)))];
        let points = Points {
            user_id: 7,
            response_id: 2,
            added: 60,
            point: 100,
        };
        let expected = [
            Effect::save("credits", &json!({"responseId": 2})),
            Effect::change("users", "id", 7, json!({"point": 100})),
            Happened::PointAdded(points).told(),
        ];
        assert_eq!(looked(&first, &seen), expected);
        let again = looked(&effects, &[row(1, &json!({"responseId": 2}))]);
        assert_eq!(again, []);
        assert_eq!(on_event(&check(false)), []);
    }

    #[test]
    fn a_user_that_is_gone_gets_nothing_and_it_is_logged() {
        let first = looked(&on_event(&check(true)), &[]);
        let line = "user 7 is gone, and 60 points with it".to_owned();
        assert_eq!(looked(&first, &[]), [Effect::Log(line)]);
    }

    #[test]
    fn a_user_has_a_name_and_a_capacity_and_earns_its_points() {
        assert_eq!(checked(&user("강감찬", 1, 0)), []);
        let refused = |user: &User| matches!(checked(user)[..], [Effect::Refuse(_)]);
        assert!(refused(&user(" ", 100, 0)));
        assert!(refused(&user("강감찬", 0, 0)));
        let was = user("강감찬", 100, 40);
        assert_eq!(on_update(7, &was, &user("을지문덕", 200, 40)), []);
        let given = on_update(7, &was, &user("강감찬", 100, 41));
        assert_eq!(
            given,
            [Effect::refuse(409, "points follow from what was saved")]
        );
    }
}
