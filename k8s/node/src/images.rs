//! images — what an image name means here: a program of this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What runs when a manifest names an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageEntry {
    /// The image's entry point.
    pub program: PathBuf,
    /// Words of the entry point after the program, such as a subcommand.
    pub words: Vec<String>,
    /// Arguments when the manifest gives none.
    pub args: Vec<String>,
    /// Environment; the manifest's own wins. `$(NAME)` is one of the manifest's, or `POD_IP`.
    pub env: Vec<(String, String)>,
    /// Where it starts when the manifest does not say.
    pub working_dir: Option<PathBuf>,
    /// The image's volumes: where the manifest mounts nothing, each start finds an empty folder there.
    pub volumes: Vec<PathBuf>,
}

impl ImageEntry {
    /// What the image's own name means at the beginning of a command: its program. Where the entry point is more than a program, even
    /// that name is looked for in `PATH`.
    pub(crate) fn named(&self, image: &str) -> String {
        match self.words.is_empty() {
            true => self.program.display().to_string(),
            false => last_name(image).to_owned(),
        }
    }

    fn entry_point(&self) -> Vec<String> {
        let program = self.program.display().to_string();
        std::iter::once(program)
            .chain(self.words.iter().cloned())
            .collect()
    }
}

/// The images this node knows. `busybox` is always there: a shell and the tools of this machine.
#[derive(Debug, Clone)]
pub struct Images {
    entries: BTreeMap<String, ImageEntry>,
}

impl Default for Images {
    fn default() -> Images {
        Images::new()
    }
}

impl Images {
    /// Only `busybox`.
    pub fn new() -> Images {
        Images {
            entries: BTreeMap::new(),
        }
        .with(
            "busybox",
            ImageEntry {
                program: "/bin/sh".into(),
                ..ImageEntry::default()
            },
        )
    }

    /// Adds an image. A name with a tag means that tag only; without, every tag that has no entry of its own.
    pub fn with(mut self, name: &str, entry: ImageEntry) -> Images {
        self.entries.insert(name.to_owned(), entry);
        self
    }

    /// The entry for an image as a manifest names it.
    pub fn find(&self, image: &str) -> Option<&ImageEntry> {
        let image = image.split('@').next().unwrap_or(image);
        let image = image.strip_prefix("docker.io/").unwrap_or(image);
        let image = image.strip_prefix("library/").unwrap_or(image);
        self.entries
            .get(image)
            .or_else(|| self.entries.get(without_tag(image)))
    }

    /// What is known, as the Node object lists it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

// The part after the last colon is a tag unless it holds a slash: then the colon belongs to a registry's port.
fn without_tag(image: &str) -> &str {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// Without registry, folders and tag.
fn last_name(image: &str) -> &str {
    without_tag(image).rsplit('/').next().unwrap_or(image)
}

/// The command line by Kubernetes' rules: a manifest's `command` replaces the image's entry point and its arguments, `args` only
/// the arguments. A command that begins with the image's own name means its program, as it would by the image's `PATH`.
pub(crate) fn command_line(
    image: &str,
    entry: &ImageEntry,
    command: &[String],
    args: &[String],
) -> Vec<String> {
    let mut line = match command {
        [] => entry.entry_point(),
        command => by_path(image, &entry.named(image), command),
    };
    match (command, args) {
        ([], []) => line.extend_from_slice(&entry.args),
        _ => line.extend_from_slice(args),
    }
    line
}

/// A command that begins with the image's own name means its program, as it would by the image's `PATH`.
pub(crate) fn by_path(image: &str, program: &str, command: &[String]) -> Vec<String> {
    match command.split_first() {
        Some((first, rest)) if first == last_name(image) => [&[program.to_owned()], rest].concat(),
        _ => command.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(program: &str) -> ImageEntry {
        ImageEntry {
            program: program.into(),
            args: vec!["serve".into()],
            ..ImageEntry::default()
        }
    }

    #[test]
    fn a_tag_is_ignored_unless_it_has_its_own_entry() {
        let images = Images::new()
            .with("room", entry("/one"))
            .with("room:2", entry("/two"))
            .with("reg:5000/pay", entry("/pay"));
        let program = |image: &str| {
            images
                .find(image)
                .map(|entry| entry.program.display().to_string())
        };
        assert_eq!(program("room").as_deref(), Some("/one"));
        assert_eq!(program("room:1").as_deref(), Some("/one"));
        assert_eq!(program("room:2").as_deref(), Some("/two"));
        assert_eq!(program("reg:5000/pay").as_deref(), Some("/pay"));
        assert_eq!(program("reg:5000/pay:3").as_deref(), Some("/pay"));
        assert_eq!(
            program("docker.io/library/busybox:1.36").as_deref(),
            Some("/bin/sh")
        );
        assert_eq!(program("nginx"), None);
    }

    #[test]
    fn command_replaces_entry_point_and_arguments_and_args_only_the_arguments() {
        let line = |command: &[&str], args: &[&str]| {
            let own = |words: &[&str]| {
                words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>()
            };
            command_line("brownout:dev", &entry("/bin/b"), &own(command), &own(args)).join(" ")
        };
        assert_eq!(line(&[], &[]), "/bin/b serve");
        assert_eq!(line(&[], &["broker", "-v"]), "/bin/b broker -v");
        assert_eq!(line(&["sh", "-c"], &[]), "sh -c");
        assert_eq!(line(&["sh", "-c"], &["true"]), "sh -c true");
        assert_eq!(
            line(&["brownout", "serve"], &["mybnb"]),
            "/bin/b serve mybnb"
        );
        let database = ImageEntry {
            words: vec!["postgres".into()],
            args: vec![],
            ..entry("/bin/b")
        };
        let line = command_line("postgres:17", &database, &[], &["-c".into()]);
        assert_eq!(line, ["/bin/b", "postgres", "-c"]);
        let by_path = command_line("postgres:17", &database, &["postgres".into()], &[]);
        assert_eq!(by_path, ["postgres"]);
    }
}
