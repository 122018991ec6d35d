//! rows — what the tests of the services are made of: rows, and what follows when they are looked at.

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
