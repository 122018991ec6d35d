//! asked — what an operation is asked: path, query and body of its request, and when.

use crate::effect::Refusal;
use crate::shape::{Shape, typed};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A request to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When it came.
    pub at: Timestamp,
    /// What stands in the path for `{name}`, and the query. The path goes before the query.
    pub parameters: BTreeMap<String, String>,
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub body: String,
}

impl Asked {
    /// A parameter as text.
    pub fn text(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.parameters.get(name).map(String::as_str);
        found.ok_or_else(|| bad(format!("Required parameter '{name}' is not present")))
    }

    /// A parameter as a whole number.
    pub fn number(&self, name: &str) -> Result<i64, Refusal> {
        let text = self.text(name)?;
        let number = text.trim().parse();
        number.map_err(|_| bad(format!("Parameter '{name}': {text} is not a whole number")))
    }

    /// The body as a resource, read as those of collections are: numeric strings are numbers, unknown fields are left out.
    pub fn resource<T: Serialize + DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        let fields = Shape::of::<T>().read(self.body.as_bytes());
        let fields = fields.map_err(|why| bad(why.to_string()))?;
        typed(&fields).map_err(|why| bad(format!("JSON parse error: {why}")))
    }
}

fn bad(message: String) -> Refusal {
    Refusal {
        status: 400,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    fn asked(parameters: &[(&str, &str)], body: &str) -> Asked {
        Asked {
            at: Timestamp::UNIX_EPOCH,
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn parameters_are_texts_and_numbers_and_what_is_wrong_with_them_is_told() {
        let asked = asked(&[("roomId", "7"), ("guest", "배트맨")], "");
        assert_eq!(asked.number("roomId"), Ok(7));
        assert_eq!(asked.text("guest"), Ok("배트맨"));
        let wrong = |refusal: Refusal| (refusal.status, refusal.message);
        assert_eq!(
            asked.number("guest").map_err(wrong),
            Err((
                400,
                "Parameter 'guest': 배트맨 is not a whole number".to_owned()
            ))
        );
        assert_eq!(
            asked.text("host").map_err(wrong),
            Err((400, "Required parameter 'host' is not present".to_owned()))
        );
    }

    #[test]
    fn a_body_is_read_as_those_of_collections() {
        #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        struct End {
            id: i64,
        }
        assert_eq!(
            asked(&[], r#"{"id":"7","x":1}"#).resource(),
            Ok(End { id: 7 })
        );
        assert_eq!(asked(&[], "").resource::<End>().unwrap_err().status, 400);
    }
}
