//! shape — what a resource consists of: its fields in order, with their types, read off the default value of its struct.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// A resource's fields as JSON, in the order of its struct.
pub type Fields = Map<String, Value>;

/// The kind of value a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Real,
    /// True or false.
    Flag,
}

/// The fields of a resource, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    fields: Vec<(String, Kind)>,
}

/// Why a body is not a resource of this shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misshapen {
    /// The body is not a JSON object.
    #[error("JSON parse error: {0}")]
    NotAnObject(String),
    /// A field's value cannot be read as the field's type.
    #[error("JSON parse error: {field}: {value} is not a {wanted}")]
    WrongType {
        /// The field's name.
        field: String,
        /// Its value, as JSON.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Shape {
    /// The shape of `T`, read off its default value. `T` must be a struct of plain fields with `#[serde(default)]`; a field that is null
    /// by default is of the kind that it can be read from.
    pub fn of<T: Serialize + DeserializeOwned + Default>() -> Shape {
        let fields = fields_of(&T::default());
        let kind = |name: &str, default: &Value| match default {
            Value::Null => Kind::of_optional::<T>(name),
            default => Kind::of(default),
        };
        Shape {
            fields: fields
                .iter()
                .map(|(name, default)| (name.clone(), kind(name, default)))
                .collect(),
        }
    }

    /// The fields' names and kinds, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.fields
            .iter()
            .map(|(name, kind)| (name.as_str(), *kind))
    }

    /// The kind of a field, if there is such a field.
    pub fn kind(&self, field: &str) -> Option<Kind> {
        self.fields()
            .find(|(name, _)| *name == field)
            .map(|(_, kind)| kind)
    }

    /// Reads a request body as Spring did: numeric strings are numbers, numbers are texts where a text is wanted, unknown fields and
    /// nulls are left out.
    pub fn read(&self, body: &[u8]) -> Result<Fields, Misshapen> {
        let body: Value =
            serde_json::from_slice(body).map_err(|why| Misshapen::NotAnObject(why.to_string()))?;
        let Value::Object(mut body) = body else {
            return Err(Misshapen::NotAnObject("not an object".to_owned()));
        };
        let mut fields = Fields::new();
        for (name, kind) in self.fields() {
            match body.remove(name) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    let read = kind.read(&value).ok_or_else(|| Misshapen::WrongType {
                        field: name.to_owned(),
                        value: value.to_string(),
                        wanted: kind.name(),
                    })?;
                    fields.insert(name.to_owned(), read);
                }
            }
        }
        Ok(fields)
    }
}

/// A struct's fields as JSON. Anything but a struct of plain fields has none.
pub fn fields_of(value: &impl Serialize) -> Fields {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Fields::new(),
    }
}

/// The struct with these fields; what is absent has the struct's default (`#[serde(default)]`).
pub fn typed<T: DeserializeOwned>(fields: &Fields) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(fields.clone()))
}

impl Kind {
    fn of(default: &Value) -> Kind {
        match default {
            Value::Bool(_) => Kind::Flag,
            Value::Number(number) if number.is_f64() => Kind::Real,
            Value::Number(_) => Kind::Integer,
            _ => Kind::Text,
        }
    }

    /// The kind of a field that may be null: of which kind it takes a value.
    fn of_optional<T: DeserializeOwned>(name: &str) -> Kind {
        let samples = [
            (Value::from(""), Kind::Text),
            (Value::from(0.5), Kind::Real),
            (Value::from(0), Kind::Integer),
            (Value::from(false), Kind::Flag),
        ];
        let takes = |sample: &Value| {
            let fields = Fields::from_iter([(name.to_owned(), sample.clone())]);
            typed::<T>(&fields).is_ok()
        };
        let found = samples.iter().find(|(sample, _)| takes(sample));
        found.map_or(Kind::Text, |(_, kind)| *kind)
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "whole number",
            Kind::Real => "number",
            Kind::Flag => "true or false",
        }
    }

    fn read(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) => Some(value.clone()),
            (Kind::Text, Value::Number(_) | Value::Bool(_)) => {
                Some(Value::String(value.to_string()))
            }
            (Kind::Integer, Value::Number(number)) => number.as_i64().map(Value::from),
            (Kind::Integer, Value::String(text)) => {
                text.trim().parse::<i64>().ok().map(Value::from)
            }
            (Kind::Real, Value::Number(number)) => number.as_f64().map(Value::from),
            (Kind::Real, Value::String(text)) => {
                Number::from_f64(text.trim().parse().ok()?).map(Value::Number)
            }
            (Kind::Flag, Value::String(text)) => text.trim().parse::<bool>().ok().map(Value::from),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Room {
        name: String,
        price: i64,
        rating: f64,
        open: bool,
    }

    fn read(body: Value) -> Result<Value, String> {
        Shape::of::<Room>()
            .read(body.to_string().as_bytes())
            .map(Value::Object)
            .map_err(|why| why.to_string())
    }

    #[test]
    fn the_shape_follows_the_struct() {
        let shape = Shape::of::<Room>();
        let fields: Vec<_> = shape.fields().collect();
        assert_eq!(
            fields,
            [
                ("name", Kind::Text),
                ("price", Kind::Integer),
                ("rating", Kind::Real),
                ("open", Kind::Flag)
            ]
        );
    }

    #[test]
    fn a_field_that_may_be_null_has_a_kind_all_the_same() {
        #[derive(Default, Serialize, Deserialize)]
        #[serde(default)]
        struct Guest {
            name: Option<String>,
            card: Option<i64>,
            rating: Option<f64>,
            vip: Option<bool>,
        }
        let shape = Shape::of::<Guest>();
        let kinds: Vec<_> = shape.fields().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [Kind::Text, Kind::Integer, Kind::Real, Kind::Flag]);
        assert_eq!(
            shape.read(br#"{"card": "7", "name": null}"#),
            Ok(fields_of(&json!({"card": 7})))
        );
    }

    #[test]
    fn numeric_strings_become_numbers() {
        assert_eq!(
            read(json!({"price": "1000", "rating": "4.5"})),
            Ok(json!({"price": 1000, "rating": 4.5}))
        );
        assert_eq!(
            read(json!({"price": 1000, "name": 7})),
            Ok(json!({"name": "7", "price": 1000}))
        );
    }

    #[test]
    fn unknown_fields_and_nulls_are_left_out() {
        assert_eq!(read(json!({"name": null, "colour": "red"})), Ok(json!({})));
    }

    #[test]
    fn a_price_that_is_no_number_is_named() {
        assert_eq!(
            read(json!({"price": "dear"})),
            Err("JSON parse error: price: \"dear\" is not a whole number".to_owned())
        );
        assert_eq!(
            read(json!([1])),
            Err("JSON parse error: not an object".to_owned())
        );
    }
}
