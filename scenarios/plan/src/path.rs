//! Paths into JSON: RFC 9535, or as `kubectl -o jsonpath` writes them.
use crate::problem::Log;
use crate::tree::Node;
use jsonpath_rust::parser::parse_json_path;

/// Reads a path; what comes out is RFC 9535: `{.status.phase}` becomes `$.status.phase`.
pub fn read(node: &Node, text: &str, log: &Log) -> Option<String> {
    let path = standard(text);
    match parse_json_path(&path) {
        Ok(_) if path.starts_with('$') => Some(path),
        _ => {
            let way_out =
                "write a JSONPath, as $.id or $.status.conditions[?@.type=='Ready'].status";
            log.bad(node, format!("\"{text}\" is no path"), way_out);
            None
        }
    }
}

fn standard(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    let path = inner.unwrap_or(text);
    match path.strip_prefix('.') {
        Some(rest) => format!("$.{rest}"),
        None => path.into(),
    }
}

/// Whether a word can be the name of something saved or collected.
pub fn is_name(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_writes_the_same_paths_in_braces() {
        assert_eq!(standard("{.status.phase}"), "$.status.phase");
        assert_eq!(standard(".status.phase"), "$.status.phase");
        assert_eq!(standard("$.id"), "$.id");
        let filter = "{.status.conditions[?(@.type==\"Ready\")].status}";
        assert!(parse_json_path(&standard(filter)).is_ok());
    }

    #[test]
    fn a_name_begins_with_a_letter() {
        assert!(is_name("roomId") && is_name("a-1"));
        assert!(!is_name("1a") && !is_name("") && !is_name("a b"));
    }
}
