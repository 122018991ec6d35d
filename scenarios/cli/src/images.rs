//! What image names mean on the embedded cluster: programs of this machine.
use node::{ImageEntry, Images};
use postgres::Programs;
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The image that the manifests name; on the embedded cluster it is this program.
pub const IMAGE: &str = "brownout:dev";

/// `--image-map IMAGE=PROGRAM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageMap {
    /// With a tag it means that tag only.
    image: String,
    program: PathBuf,
}

impl FromStr for ImageMap {
    type Err = String;

    fn from_str(text: &str) -> Result<ImageMap, String> {
        let parts = text.split_once('=');
        let parts = parts.filter(|(image, program)| !image.is_empty() && !program.is_empty());
        let (image, program) =
            parts.ok_or("an image and a program, like shop=target/debug/shop")?;
        // Pods start in other folders than this one.
        let program = fs::canonicalize(program).map_err(|e| no_program(program, &e))?;
        let found = fs::metadata(&program).map_err(|e| no_program(program.display(), &e))?;
        if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
            return Err(format!(
                "{} is no program; build it, or chmod +x it",
                program.display()
            ));
        }
        let image = image.to_owned();
        Ok(ImageMap { image, program })
    }
}

fn no_program(program: impl std::fmt::Display, why: &io::Error) -> String {
    format!("{program}: {why}; build it first, or name another file")
}

/// As it would be typed again.
pub fn words(map: &[ImageMap]) -> String {
    let word = |m: &ImageMap| format!(" --image-map {}={}", m.image, m.program.display());
    map.iter().map(word).collect()
}

/// This program, PostgreSQL if this machine has one, and what was mapped.
pub fn known(program: &Path, map: &[ImageMap]) -> Images {
    let own = ImageEntry {
        program: program.into(),
        ..ImageEntry::default()
    };
    let mut images = Images::new().with(IMAGE, own);
    if let Some(programs) = Programs::find() {
        images = images.with("postgres", server(program, &programs));
    }
    map.iter().fold(images, |images, m| {
        let program = m.program.clone();
        let entry = ImageEntry {
            program,
            ..ImageEntry::default()
        };
        images.with(&m.image, entry)
    })
}

/// The official image, for what is in the container as well: `psql` finds its server without being told.
fn server(program: &Path, programs: &Programs) -> ImageEntry {
    let env = [
        (
            "PATH",
            format!("{}:{}", programs.folder().display(), node::PATH),
        ),
        ("PGDATA", postgres::DATA.into()),
        ("PGHOST", "$(POD_IP)".into()),
        ("PGPASSWORD", "$(POSTGRES_PASSWORD)".into()),
    ];
    ImageEntry {
        program: program.into(),
        words: vec![postgres::WORD.into()],
        env: env.map(|(name, value)| (name.into(), value)).into(),
        volumes: vec![postgres::DATA.into()],
        ..ImageEntry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_mapped_to_a_program_that_can_be_started() {
        let map: ImageMap = "reg:5000/shop:2=/bin/sh".parse().unwrap();
        let images = known(Path::new("/bin/b"), &[map]);
        let program = |image: &str| images.find(image).map(|entry| entry.program.clone());
        assert_eq!(program("brownout:dev"), Some("/bin/b".into()));
        assert_eq!(program("reg:5000/shop:2"), fs::canonicalize("/bin/sh").ok());
        assert_eq!(program("reg:5000/shop:3"), None);
        let wrong = |text: &str| text.parse::<ImageMap>().unwrap_err();
        assert!(wrong("shop").contains("shop=target/debug/shop"));
        assert!(wrong("shop=/no/such").contains("/no/such: No such file"));
        assert!(wrong("shop=/etc/passwd").contains("is no program"));
        assert!(wrong("shop=/etc").contains("is no program"));
    }
}
