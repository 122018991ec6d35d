//! names — what names, labels and keys may look like. Texts are the real server's.

use crate::kinds::Kind;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE_NAME: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const PORT_LETTERS: &str = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
const LABEL_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn is_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.chars().all(inside) && edge(name.chars().next()) && edge(name.chars().last())
}

/// Whether a name is a DNS label of at most 63 characters; what is wrong otherwise.
pub fn label_fault(name: &str) -> Option<String> {
    if name.len() > 63 {
        Some("must be no more than 63 characters".into())
    } else {
        match is_label(name) {
            true => None,
            // Everything between the dots is sound: then it must be the dots.
            false if name.split('.').all(is_label) => Some("must not contain dots".into()),
            false => Some(LABEL.into()),
        }
    }
}

/// What is wrong with the name of an object of this kind.
pub fn name_fault(kind: &Kind, name: &str) -> Option<String> {
    match kind.kind {
        // Names of roles may be any segment of a path.
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => segment_fault(name),
        "Namespace" => label_fault(name),
        "Service" if name.len() > 63 => Some("must be no more than 63 characters".into()),
        "Service" => {
            let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
            (!starts_well || !is_label(name)).then(|| SERVICE_NAME.into())
        }
        _ if name.len() > 253 => Some("must be no more than 253 characters".into()),
        _ => (!name.split('.').all(is_label)).then(|| SUBDOMAIN.into()),
    }
}

/// What is wrong with a name that is one segment of a path and nothing else.
fn segment_fault(name: &str) -> Option<String> {
    if matches!(name, "." | "..") {
        return Some(format!("may not be '{name}'"));
    }
    let found = ['/', '%'].into_iter().find(|c| name.contains(*c))?;
    Some(format!("may not contain '{found}'"))
}

/// What is wrong with a key of a ConfigMap or Secret, which is the name of a file where it is mounted.
pub fn config_key_faults(key: &str) -> Vec<&'static str> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_sound = !key.is_empty() && key.chars().all(sound);
    let rules = [
        (key.len() <= 253, "must be no more than 253 characters"),
        (is_sound, CONFIG_KEY),
        (key != ".", "must not be '.'"),
        (key != "..", "must not be '..'"),
        (
            key == ".." || !key.starts_with(".."),
            "must not start with '..'",
        ),
    ];
    broken(rules)
}

fn broken<const N: usize>(rules: [(bool, &'static str); N]) -> Vec<&'static str> {
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, fault)| fault).collect()
}

fn is_qualified_part(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.starts_with(edge) && name.ends_with(edge) && name.chars().all(inside)
}

/// What is wrong with the name of a label or annotation: `name` or `example.com/name`.
pub fn label_name_fault(name: &str) -> Option<String> {
    let (prefix, part) = match name.split_once('/') {
        Some((prefix, part)) => (Some(prefix), part),
        None => (None, name),
    };
    if part.is_empty() {
        Some("name part must be non-empty".into())
    } else if part.len() > 63 {
        Some("name part must be no more than 63 characters".into())
    } else if !is_qualified_part(part) {
        Some(LABEL_NAME.into())
    } else {
        let bad = prefix.filter(|prefix| prefix.is_empty() || !prefix.split('.').all(is_label));
        bad.map(|_| format!("prefix part {SUBDOMAIN}"))
    }
}

/// What is wrong with the value of a label.
pub fn label_value_fault(value: &str) -> Option<&'static str> {
    if value.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    (!value.is_empty() && !is_qualified_part(value)).then_some(LABEL_VALUE)
}

/// Everything wrong with the name of a port.
pub fn port_name_faults(name: &str) -> Vec<&'static str> {
    let letter = |c: char| c.is_ascii_lowercase();
    let sound = |c: char| letter(c) || c.is_ascii_digit() || c == '-';
    let rules = [
        (name.len() <= 15, "must be no more than 15 characters"),
        (name.chars().all(sound), PORT_LETTERS),
        (
            name.chars().any(letter),
            "must contain at least one letter (a-z)",
        ),
        (!name.contains("--"), "must not contain consecutive hyphens"),
        (
            !name.starts_with('-') && !name.ends_with('-'),
            "must not begin or end with a hyphen",
        ),
    ];
    broken(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_their_kind() {
        let fault = |plural: &str, name: &str| name_fault(crate::kinds::known(plural), name);
        assert_eq!(fault("pods", "a.b-1"), None);
        assert_eq!(fault("pods", "A"), Some(SUBDOMAIN.into()));
        assert_eq!(fault("services", "1a"), Some(SERVICE_NAME.into()));
        assert_eq!(
            fault("namespaces", "a.b"),
            Some("must not contain dots".into())
        );
        assert_eq!(fault("roles", "system:reader"), None);
    }

    #[test]
    fn labels_have_qualified_names_and_short_values() {
        assert_eq!(label_name_fault("example.com/app"), None);
        assert_eq!(label_name_fault("a b"), Some(LABEL_NAME.into()));
        assert!(label_name_fault("Exa_mple/app").is_some());
        assert_eq!(
            (label_value_fault(""), label_value_fault("c d")),
            (None, Some(LABEL_VALUE))
        );
    }

    #[test]
    fn a_key_is_the_name_of_a_file_and_never_of_a_folder_above() {
        assert!(config_key_faults("app.conf").is_empty());
        assert_eq!(config_key_faults("a/b"), [CONFIG_KEY]);
        assert_eq!(config_key_faults("."), ["must not be '.'"]);
        assert_eq!(config_key_faults(".."), ["must not be '..'"]);
        assert_eq!(config_key_faults("..data"), ["must not start with '..'"]);
    }

    #[test]
    fn the_name_of_a_role_is_one_segment_of_a_path() {
        let fault = |name: &str| name_fault(crate::kinds::known("clusterroles"), name);
        assert_eq!(fault("system:reader"), None);
        assert_eq!(fault(".."), Some("may not be '..'".into()));
        assert_eq!(fault("a/b"), Some("may not contain '/'".into()));
    }

    #[test]
    fn a_port_has_a_short_name_with_a_letter() {
        assert!(port_name_faults("http-8080").is_empty());
        assert_eq!(
            port_name_faults("8080"),
            ["must contain at least one letter (a-z)"]
        );
        assert_eq!(port_name_faults("ABC_def"), [PORT_LETTERS]);
    }
}
