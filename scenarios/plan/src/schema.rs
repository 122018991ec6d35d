//! The JSON Schema of scenario files, made from the vocabulary that the reader uses: it cannot fall behind.
use crate::words::{Field, Form, PARAM, SCENARIO, Type};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of scenario files, for editors. What it cannot say (names that must exist, fields that
/// exclude each other) only [`crate::parse`] tells.
pub fn schema() -> Value {
    let mut types = Map::new();
    describe(&SCENARIO, &mut types);
    describe(&PARAM, &mut types);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "brownout scenario",
        "$ref": pointer(&SCENARIO),
        "$defs": types,
    })
}

fn pointer(of: &Type) -> String {
    format!("#/$defs/{}", of.name)
}

/// Adds a type and all that it is made of.
fn describe(of: &Type, types: &mut Map<String, Value>) {
    if types.contains_key(of.name) {
        return;
    }
    types.insert(of.name.into(), Value::Null);
    let mut properties = Map::new();
    for field in of.fields {
        if let Form::Object(inner) | Form::List(inner) | Form::Map(inner) = field.form {
            describe(inner, types);
        }
        properties.insert(field.name.into(), property(field));
    }
    let required = of.fields.iter().filter(|f| f.required).map(|f| f.name);
    let description = json!({
        "type": "object",
        "description": of.about,
        "properties": properties,
        "required": required.collect::<Vec<_>>(),
        "additionalProperties": false,
    });
    types.insert(of.name.into(), description);
}

fn property(field: &Field) -> Value {
    let mut schema = form(field.form);
    if let Value::Object(members) = &mut schema {
        members.insert("description".into(), field.about.into());
    }
    schema
}

fn form(form: Form) -> Value {
    let text = json!({"type": "string"});
    match form {
        Form::Text => text,
        Form::Texts => json!({"anyOf": [text, {"type": "array", "items": text}]}),
        Form::Duration => {
            or_param(json!({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(us|ms|s|m|h))+$"}))
        }
        Form::Rate => {
            or_param(json!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?\s*/\s*[smh]$"}))
        }
        Form::Whole => or_param(json!({"type": "integer", "minimum": 0})),
        Form::Bool => or_param(json!({"type": "boolean"})),
        Form::Number => or_param(json!({"type": "number"})),
        Form::OneOf(words) => or_param(json!({"enum": words})),
        Form::SomeOf(words) => {
            json!({"anyOf": [{"enum": words}, {"type": "array", "items": {"enum": words}}]})
        }
        Form::Condition => json!({"type": "string", "pattern": "^\\s*(<=|>=|==|!=|<|>)"}),
        Form::Json => json!({}),
        Form::TextMap => json!({"type": "object", "additionalProperties": text}),
        Form::Params => {
            let value = json!({"type": ["string", "number", "boolean"]});
            json!({"type": "object", "additionalProperties": {"anyOf": [value, {"$ref": pointer(&PARAM)}]}})
        }
        Form::Object(of) => json!({"$ref": pointer(of)}),
        Form::List(of) => json!({"type": "array", "items": {"$ref": pointer(of)}}),
        Form::Map(of) => json!({"type": "object", "additionalProperties": {"$ref": pointer(of)}}),
    }
}

/// In place of every value a param may stand.
fn or_param(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Log;
    use crate::tree::{Kind, Node};

    /// Every field that stands in a file, by the type it was read as.
    fn fields(node: &Node, of: &'static Type, found: &mut Vec<(&'static str, String)>) {
        for entry in node.entries() {
            found.push((of.name, entry.key.clone()));
            let field = of.fields.iter().find(|f| f.name == entry.key);
            match (field.map(|f| f.form), &entry.node.kind) {
                (Some(Form::Object(inner)), _) => fields(&entry.node, inner, found),
                (Some(Form::List(inner)), Kind::List(items)) => {
                    items.iter().for_each(|n| fields(n, inner, found))
                }
                (Some(Form::Map(inner)), Kind::Map(entries)) => {
                    entries.iter().for_each(|e| fields(&e.node, inner, found))
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_schema_knows_every_field_that_the_reader_knows() {
        let schema = schema();
        // A file with a wrong field in every map: the reader answers with every field that it knows there.
        let known = |of: &'static Type| {
            let (node, _) = Node::parse("a.yaml", "zzzzzzzzzzzz: 1");
            let node = node.unwrap();
            let log = Log::new("a.yaml");
            crate::object::Object::new(&node, of, &log);
            let problems = log.into_problems();
            let way_out = problems[0]
                .way_out
                .strip_prefix("there is ")
                .unwrap()
                .to_string();
            way_out.split(", ").map(String::from).collect::<Vec<_>>()
        };
        let mut open = vec![&SCENARIO, &PARAM];
        let mut seen: Vec<&str> = vec![];
        while let Some(of) = open.pop() {
            if seen.contains(&of.name) {
                continue;
            }
            seen.push(of.name);
            let properties = schema["$defs"][of.name]["properties"].as_object().unwrap();
            assert_eq!(
                properties.keys().cloned().collect::<Vec<_>>(),
                known(of),
                "{}",
                of.name
            );
            open.extend(of.fields.iter().filter_map(|f| match f.form {
                Form::Object(inner) | Form::List(inner) | Form::Map(inner) => Some(inner),
                _ => None,
            }));
        }
        assert_eq!(seen.len(), schema["$defs"].as_object().unwrap().len());
    }

    #[test]
    fn the_schema_describes_every_field_of_the_catalogue() {
        let schema = schema();
        let catalog = crate::catalog();
        for scenario in catalog.list() {
            let text = catalog.read(scenario.file()).unwrap();
            let mut found = vec![];
            fields(
                &Node::parse("a.yaml", &text).0.unwrap(),
                &SCENARIO,
                &mut found,
            );
            assert!(found.len() > 20);
            for (of, field) in found {
                let described =
                    schema["$defs"][of]["properties"][&field]["description"].is_string();
                assert!(described, "{of}.{field}");
            }
        }
    }
}
