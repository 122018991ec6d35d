//! identity — which station order is configured for: `station_nm` from a Secret, `station_cd` from a ConfigMap.

use kernel::Env;

/// The station's name and code, as far as they are configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    name: Option<String>,
    code: Option<String>,
}

impl Identity {
    /// What the environment says, byte for byte.
    pub fn of(env: &Env) -> Identity {
        let text = |name| verbatim(env.get(name), std::env::var(name).ok());
        Identity {
            name: text("station_nm"),
            code: text("station_cd"),
        }
    }

    /// The code, or nothing.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    /// `SK Imme, ST0001`. What is not configured is `null`: Java joined the texts.
    pub fn text(&self) -> String {
        let or_null = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        format!("{}, {}", or_null(&self.name), or_null(&self.code))
    }
}

/// [`Env`] trims what it reads; a Secret is repeated with all its blanks and line ends, so it is taken from the process where that has it.
fn verbatim(trimmed: Option<String>, of_process: Option<String>) -> Option<String> {
    let raw = of_process.filter(|raw| trimmed.as_deref() == Some(raw.trim()));
    raw.or(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_code_are_joined_as_java_did() {
        let env = Env::from_iter([("station_nm", "SK Imme"), ("station_cd", "ST0001")]);
        let identity = Identity::of(&env);
        assert_eq!(
            (identity.text().as_str(), identity.code()),
            ("SK Imme, ST0001", "ST0001")
        );
        assert_eq!(Identity::default().text(), "null, null");
    }

    #[test]
    fn the_secret_as_printed_keeps_its_blank_and_its_line_end() {
        let trimmed = Some("-n 'SK Imme'".to_owned());
        let raw = Some("-n 'SK Imme' \r\n".to_owned());
        assert_eq!(verbatim(trimmed.clone(), raw.clone()), raw);
        assert_eq!(verbatim(trimmed.clone(), None), trimmed);
        assert_eq!(verbatim(trimmed.clone(), Some("SK".to_owned())), trimmed);
        assert_eq!(verbatim(None, raw), None);
    }
}
