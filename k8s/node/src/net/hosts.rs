//! hosts — one hosts file per namespace, through which pods know Services by name.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A name and one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub namespace: String,
    pub name: String,
    pub address: IpAddr,
}

/// The files, and the other two that a sandbox needs so that names come from them alone.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    names: Vec<Named>,
    /// What each namespace's file holds.
    written: BTreeMap<String, String>,
}

impl Hosts {
    /// Files in `folder`, which is made.
    pub fn new(folder: PathBuf) -> io::Result<Hosts> {
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join("nsswitch.conf"),
            "passwd: files\ngroup: files\nhosts: files\n",
        )?;
        // Programs that do not read nsswitch.conf ask the servers named here: none.
        fs::write(folder.join("resolv.conf"), "")?;
        Ok(Hosts {
            folder,
            state: Arc::default(),
        })
    }

    /// The hosts file of a namespace; exists afterwards.
    pub fn file(&self, namespace: &str) -> io::Result<PathBuf> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(namespace);
        if !state.written.contains_key(namespace) {
            let text = text(namespace, &state.names);
            rewrite(&path, &text)?;
            state.written.insert(namespace.to_owned(), text);
        }
        Ok(path)
    }

    /// The two files that stand beside a hosts file: for `/etc/nsswitch.conf` and `/etc/resolv.conf`.
    pub fn resolver_files(&self) -> [PathBuf; 2] {
        ["nsswitch.conf", "resolv.conf"].map(|name| self.folder.join(name))
    }

    /// From now on these names exist, and no others.
    pub fn set(&self, names: Vec<Named>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.names = names;
        let State { names, written } = &mut *state;
        for (namespace, old) in written {
            let new = text(namespace, names);
            if *old != new {
                rewrite(&self.path(namespace), &new)?;
                *old = new;
            }
        }
        Ok(())
    }

    fn path(&self, namespace: &str) -> PathBuf {
        self.folder.join(format!("{namespace}.hosts"))
    }
}

/// What a pod of `namespace` knows: Services of its own namespace also by their short names.
fn text(namespace: &str, names: &[Named]) -> String {
    let mut text = String::from("127.0.0.1 localhost\n");
    for Named {
        namespace: of,
        name,
        address,
    } in names
    {
        let short = if of == namespace {
            format!(" {name}")
        } else {
            String::new()
        };
        text += &format!(
            "{address}{short} {name}.{of} {name}.{of}.svc {name}.{of}.svc.cluster.local\n"
        );
    }
    text
}

// In place: containers have this very file mounted, a new one of the same name they would never see. And in one write, blank to
// the old length, so that no reader finds the rest of an old line.
fn rewrite(path: &Path, text: &str) -> io::Result<()> {
    let file: File = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    let old = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    let blank = "\n".repeat(old.saturating_sub(text.len()));
    file.write_all_at(format!("{text}{blank}").as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn named(namespace: &str, name: &str, address: &str) -> Named {
        Named {
            namespace: namespace.into(),
            name: name.into(),
            address: address.parse().unwrap(),
        }
    }

    #[test]
    fn short_names_are_for_the_own_namespace() {
        let names = [
            named("shop", "room", "127.2.0.1"),
            named("other", "pay", "127.2.0.2"),
        ];
        assert_eq!(
            text("shop", &names),
            "127.0.0.1 localhost\n\
             127.2.0.1 room room.shop room.shop.svc room.shop.svc.cluster.local\n\
             127.2.0.2 pay.other pay.other.svc pay.other.svc.cluster.local\n"
        );
    }

    #[test]
    fn the_file_stays_the_same_file_and_a_deleted_name_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        let hosts = Hosts::new(folder.path().to_path_buf()).unwrap();
        let path = hosts.file("shop").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        hosts.set(vec![named("shop", "room", "127.2.0.1")]).unwrap();
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .contains("127.2.0.1 room ")
        );
        hosts.set(vec![]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "127.0.0.1 localhost\n");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    }
}
