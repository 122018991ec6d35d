//! Lists the catalogue and the manifests, so that they are compiled into the crate and the binary works anywhere.
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const FOLDERS: [&str; 2] = ["scenarios/catalog", "k8s/manifests"];

fn main() -> io::Result<()> {
    // Where it is now: a build folder may have been made for a checkout that has moved since.
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&here).join("../..").canonicalize()?;
    let mut files = vec![];
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut code = String::from("[\n");
    for file in &files {
        let name = file
            .strip_prefix(&root)
            .expect("it was found below the root")
            .display();
        let _ = writeln!(
            code,
            "    ({:?}, include_str!({:?})),",
            name.to_string(),
            file
        );
    }
    code += "]\n";
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("files.rs"), code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
