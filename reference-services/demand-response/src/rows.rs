//! rows — what the services do with rows again and again: read one by its id, answer with one.

use kernel::{Asked, Effect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Goes on with the row of this id, or refuses with 404.
pub fn found<T: DeserializeOwned>(
    collection: &'static str,
    id: i64,
    then: impl Fn(i64, T) -> Vec<Effect> + Send + Sync + 'static,
) -> Vec<Effect> {
    vec![Effect::look(collection, "id", id, move |rows| {
        let why = || format!("{collection} has no {id}");
        rows.first().map_or_else(
            || vec![Effect::refuse(404, why())],
            |row| then(id, row.typed()),
        )
    })]
}

/// The same for the id in the path.
pub fn asked_for<T: DeserializeOwned>(
    asked: &Asked,
    collection: &'static str,
    then: impl Fn(i64, T) -> Vec<Effect> + Send + Sync + 'static,
) -> Vec<Effect> {
    match asked.number("id") {
        Ok(id) => found(collection, id, then),
        Err(_) => vec![Effect::refuse(404, format!("{collection} has no such row"))],
    }
}

/// A row and its id, as the report's controllers wrote an entity.
pub fn entity(id: i64, row: &impl Serialize) -> Value {
    let mut entity = json!({"id": id});
    if let (Value::Object(entity), Value::Object(fields)) = (&mut entity, json!(row)) {
        entity.extend(fields);
    }
    entity
}

#[cfg(test)]
pub mod tests {
    use kernel::{Effect, Row};
    use serde_json::Value;

    /// A stored row.
    pub fn row(id: i64, fields: &Value) -> Row {
        let fields = fields.as_object().expect("fields are an object").clone();
        Row { id, fields }
    }

    /// What follows if the only effect is a look, and this is what is seen.
    pub fn looked(effects: &[Effect], rows: &[Row]) -> Vec<Effect> {
        match effects {
            [Effect::Look { then, .. }] => then.given(rows),
            other => panic!("not a look: {other:?}"),
        }
    }

    /// What follows if the only effect is a new row, and this is its id.
    pub fn created(effects: &[Effect], id: i64) -> Vec<Effect> {
        match effects {
            [Effect::Create { then, .. }] => then.given(&id),
            other => panic!("not a new row: {other:?}"),
        }
    }
}
