//! rows — what the chain's services do with rows again and again: number a new one, read one by its id, add to what is there.

use kernel::{Asked, Collection, Effect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How far a series of numbers has come. Kept to the service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    name: String,
    last: i64,
}

/// Where [`numbered`] keeps its numbers: a service that numbers has this collection.
pub fn numbers() -> Collection<Series> {
    Collection::new("numbers", "number").internal()
}

/// Goes on with the next number of a series, from 1: what a new row is called in other services. The row's own id is not known before
/// it is stored, and by then everything is decided.
pub fn numbered(
    series: &'static str,
    then: impl Fn(i64) -> Vec<Effect> + Send + Sync + 'static,
) -> Effect {
    Effect::look("numbers", "name", series, move |rows| {
        let last = rows.first().map_or(0, |row| row.typed::<Series>().last);
        let next = last + 1;
        let noted = Effect::upsert("numbers", "name", series, json!({"last": next}));
        [vec![noted], then(next)].concat()
    })
}

/// Goes on with the row whose id stands in the path, or refuses with 404.
pub fn asked_for<T: DeserializeOwned>(
    asked: &Asked,
    collection: &'static str,
    then: impl Fn(i64, T) -> Vec<Effect> + Send + Sync + 'static,
) -> Vec<Effect> {
    let missing = move || Effect::refuse(404, format!("{collection} has no such row"));
    let Ok(id) = asked.number("id") else {
        return vec![missing()];
    };
    vec![Effect::look(collection, "id", id, move |rows| {
        rows.first()
            .map_or_else(|| vec![missing()], |row| then(id, row.typed()))
    })]
}

/// Changes the row of a product, which is made if there is none: `set` says what it is to hold, given what it holds.
pub fn of_product<T: DeserializeOwned + Default>(
    collection: &'static str,
    product_id: &str,
    set: impl Fn(T) -> Value + Send + Sync + 'static,
) -> Effect {
    let product = product_id.to_owned();
    Effect::look(collection, "productId", product_id, move |rows| {
        let is = rows.first().map_or_else(T::default, |row| row.typed());
        vec![Effect::upsert(
            collection,
            "productId",
            product.as_str(),
            set(is),
        )]
    })
}

/// No order and no sale is of more: sums of them stay far from the largest number there is.
const QTY_MAX: i64 = 1_000_000_000;

/// Refuses what is about no product, or about none of it, or too much.
pub fn checked(product_id: &str, qty: i64) -> Vec<Effect> {
    let refused = |message: String| vec![Effect::refuse(400, message)];
    match (product_id, qty) {
        ("", _) => refused("productId: say which product".to_owned()),
        (_, 1..=QTY_MAX) => vec![],
        _ => refused(format!("qty: {qty} is not from 1 to {QTY_MAX}")),
    }
}

/// Gives the row of this id a status.
pub fn status(collection: &'static str, id: i64, status: &str) -> Effect {
    Effect::change(collection, "id", id, json!({"status": status}))
}

/// Answers with a row and its id.
pub fn reply(id: i64, row: &impl Serialize) -> Effect {
    let mut answer = json!({"id": id});
    if let (Value::Object(answer), Ok(Value::Object(fields))) =
        (&mut answer, serde_json::to_value(row))
    {
        answer.extend(fields);
    }
    Effect::reply(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Row;
    use kernel::effect::Reply;
    use kernel::shape::fields_of;

    #[test]
    fn a_product_and_at_least_one_of_it_are_wanted() {
        assert_eq!(checked("CD1001", 1), []);
        assert_eq!(
            checked("CD1001", 0),
            [Effect::refuse(400, "qty: 0 is not from 1 to 1000000000")]
        );
        assert_eq!(
            checked("", 1),
            [Effect::refuse(400, "productId: say which product")]
        );
    }

    #[test]
    fn numbers_go_on_from_the_last_and_begin_with_1() {
        let Effect::Look { then, .. } = numbered("orders", |n| vec![Effect::Log(n.to_string())])
        else {
            panic!("it has to be looked up")
        };
        let next = |n: i64| {
            let noted = Effect::upsert("numbers", "name", "orders", json!({"last": n}));
            [noted, Effect::Log(n.to_string())]
        };
        assert_eq!(then.given(&[]), next(1));
        let fields = fields_of(&json!({"name": "orders", "last": 7}));
        assert_eq!(then.given(&[Row { id: 1, fields }]), next(8));
    }

    #[test]
    fn an_answer_begins_with_the_id() {
        assert_eq!(
            reply(7, &json!({"qty": 1})),
            Effect::Reply(Reply {
                status: 200,
                content_type: "application/json;charset=UTF-8",
                body: r#"{"id":7,"qty":1}"#.to_owned()
            })
        );
    }
}
