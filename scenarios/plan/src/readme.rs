//! The tables of words in scenarios/README.md are those of the vocabulary.
use crate::words::{Field, Form, PARAM, PATCH, SCENARIO, SIEGE, SPEC, Type};
use std::fmt::Write;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// Where the tables begin; they go on to the end of the file.
const BEGIN: &str = "**`spec`.**";

/// Every type below the spec under the heading that stands for it, each before what it is made of.
fn headings() -> Vec<(String, &'static Type)> {
    let mut found: Vec<(String, &'static Type)> = vec![("`spec`.".into(), &SPEC)];
    let mut next = 0;
    while let Some((_, of)) = found.get(next).map(|(h, of)| (h.clone(), *of)) {
        let mut at = next;
        for field in of.fields {
            let name = field.name;
            let (heading, inner) = match field.form {
                Form::Object(inner) => (format!("`{name}`."), inner),
                Form::List(inner) => (format!("`{name}`, each."), inner),
                Form::Map(inner) => (format!("`{name}`, by name."), inner),
                Form::Params => ("a param.".into(), &PARAM),
                _ => continue,
            };
            if !found.iter().any(|(_, of)| of.name == inner.name) {
                at += 1;
                found.insert(at, (heading, inner));
            }
        }
        next += 1;
    }
    found
}

fn row(field: &Field) -> String {
    let star = if field.required { "\\*" } else { "" };
    let words = match field.form {
        Form::OneOf(words) | Form::SomeOf(words) => words,
        _ => &[],
    };
    let untold = words.iter().any(|w| !field.about.contains(w));
    let mut about = field.about.to_string();
    if untold && !words.is_empty() {
        let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
        let _ = write!(about, " One of {}.", quoted.join(", "));
    }
    format!(
        "| `{}`{star} | {} |\n",
        field.name,
        about.replace('|', "\\|")
    )
}

fn tables() -> String {
    let mut text = String::new();
    for (heading, of) in headings() {
        let _ = write!(
            text,
            "**{heading}** {}\n\n| word | meaning |\n| --- | --- |\n",
            of.about
        );
        if std::ptr::eq(of, &SIEGE) {
            let names: Vec<String> = of.fields.iter().map(|f| format!("`{}`", f.name)).collect();
            let _ = writeln!(text, "| {} | all of them needed |", names.join(", "));
        } else {
            of.fields.iter().for_each(|field| text += &row(field));
        }
        text.push('\n');
    }
    text.trim_end().to_string() + "\n"
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_vocabulary() {
    let text = std::fs::read_to_string(README).unwrap();
    let begin = text.find(BEGIN).expect("the tables are there");
    let wanted = format!("{}{}", &text[..begin], tables());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(README, &wanted).unwrap();
    } else {
        assert!(
            text == wanted,
            "UPDATE_GOLDEN=1 cargo test -p plan readme rewrites them"
        );
    }
}

#[test]
fn every_type_has_a_table() {
    let names: Vec<&str> = headings().iter().map(|(_, of)| of.name).collect();
    assert!(names.contains(&PATCH.name) && !names.contains(&SCENARIO.name));
}
