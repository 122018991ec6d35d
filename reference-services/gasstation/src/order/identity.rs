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
        let text = |name| env.verbatim(name).map(str::to_owned);
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
        let env = Env::from_iter([("station_nm", "-n 'SK Imme' \r\n")]);
        assert_eq!(Identity::of(&env).text(), "-n 'SK Imme' \r\n, null");
    }
}
