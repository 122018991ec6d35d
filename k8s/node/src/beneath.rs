//! beneath — a folder that nothing leads out of. What is in it is reached name by name, each from the folder above it: no link and no
//! `..` leads anywhere else, whatever a container that writes in it does meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

/// As many links as the kernel follows on one way.
const LINKS_MAX: usize = 40;
/// Nobody but this user, until the file has its own mode.
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// What the user's mask leaves of it.
const OPEN: Mode = Mode::S_IRWXU.union(Mode::S_IRWXG).union(Mode::S_IRWXO);

/// A folder, held open.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

impl Folder {
    /// The folder at a path of the node's own, or of whoever may name any path of the machine: links on the way are followed.
    pub fn at(path: &Path) -> io::Result<Folder> {
        Ok(Folder(open(path, FOLDER, Mode::empty())?))
    }

    /// The same, made if it is missing.
    pub fn made_at(path: &Path) -> io::Result<Folder> {
        fs::create_dir_all(path)?;
        Folder::at(path)
    }

    /// A folder below this one, made if it is missing, with those above it. Where a link is in the way it is refused.
    pub fn make(&self, path: impl AsRef<Path>) -> io::Result<Folder> {
        let mut here = self.again()?;
        for name in names(path.as_ref())? {
            match mkdirat(&here.0, name, OPEN) {
                Ok(()) | Err(Errno::EEXIST) => here = here.step(name)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(here)
    }

    fn step(&self, name: &OsStr) -> io::Result<Folder> {
        let flags = FOLDER | OFlag::O_NOFOLLOW;
        Ok(Folder(openat(&self.0, name, flags, Mode::empty())?))
    }

    fn again(&self) -> io::Result<Folder> {
        Ok(Folder(self.0.try_clone()?))
    }

    /// The folder that holds `path`, and the last name.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(Folder, &'a OsStr)> {
        let names = names(path)?;
        let (last, above) = names.split_last().ok_or(Errno::EINVAL)?;
        let mut here = self.again()?;
        for name in above {
            here = here.step(name)?;
        }
        Ok((here, last))
    }

    /// An empty file to write to, in place of what the file held; a link in its place is refused.
    pub fn create(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let (folder, name) = self.parent(path.as_ref())?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = PRIVATE | Mode::S_IRGRP | Mode::S_IROTH;
        Ok(openat(&folder.0, name, flags, mode)?.into())
    }

    /// A new file with these permissions.
    pub fn write_new(&self, path: impl AsRef<Path>, bytes: &[u8], mode: u32) -> io::Result<()> {
        let (folder, name) = self.parent(path.as_ref())?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&folder.0, name, flags, PRIVATE)?);
        file.write_all(bytes)?;
        Ok(fchmod(&file, Mode::from_bits_truncate(mode & 0o777))?)
    }

    /// What a file holds.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let (folder, name) = self.parent(path.as_ref())?;
        // Nobody writes to a pipe that was put in place of the file.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&folder.0, name, flags, Mode::empty())?);
        let mut bytes = vec![];
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// What a folder holds; itself, if the path is empty.
    pub fn entries(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        let mut here = self.again()?;
        for name in names(path.as_ref())? {
            here = here.step(name)?;
        }
        let entries = fs::read_dir(here.handle())?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    /// Where a link in this folder leads.
    pub fn link(&self, name: &str) -> Option<OsString> {
        readlinkat(&self.0, name).ok()
    }

    /// A new link in this folder.
    pub fn make_link(&self, target: &Path, name: &str) -> io::Result<()> {
        Ok(symlinkat(target, &self.0, name)?)
    }

    /// Gives what is called `from` the name `to`, in place of what has it.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file or a link of this folder, if it is there.
    pub fn remove_file(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a folder of this folder with all that is in it, if it is there. Of a link only the link is removed.
    pub fn remove_all(&self, name: &str) -> io::Result<()> {
        names(Path::new(name))?;
        match fs::remove_dir_all(self.handle().join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// A path that leads to this folder, wherever it is moved to, for as long as it is held open.
    fn handle(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// What is at `path`, opened so that it can be mounted. Links are followed as long as they stay in this folder; with `make`,
    /// folders that are missing are made.
    ///
    /// # Errors
    /// Also when a link leads out of this folder, be it by a path from the root.
    pub fn find(&self, path: &Path, make: bool) -> io::Result<File> {
        let mut way = vec![self.0.try_clone()?];
        let mut left: Vec<OsString> = names(path)?.into_iter().rev().map(Into::into).collect();
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == ".." {
                way.pop();
                if way.is_empty() {
                    return Err(leads_out(path));
                }
                continue;
            }
            let here = way.last().ok_or(Errno::EINVAL)?;
            match openat(here, &*name, FOUND, Mode::empty()) {
                Ok(found) if !is_link(&found)? => way.push(found),
                Ok(_) if links == LINKS_MAX => return Err(Errno::ELOOP.into()),
                Ok(_) => {
                    links += 1;
                    let target = PathBuf::from(readlinkat(here, &*name)?);
                    left.extend(steps(&target).ok_or_else(|| leads_out(path))?);
                }
                Err(Errno::ENOENT) if make => {
                    mkdirat(here, &*name, OPEN)?;
                    left.push(name);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let found = way.pop().ok_or(Errno::EINVAL)?;
        Ok(found.into())
    }
}

/// A folder need not be readable to be walked through.
const FOLDER: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);
const FOUND: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// The names on a way down.
fn names(path: &Path) -> io::Result<Vec<&OsStr>> {
    let down = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
    if path.components().any(down) {
        return Err(leads_out(path));
    }
    Ok(path.iter().filter(|name| *name != ".").collect())
}

/// What a link says, last step first; none if it begins at the root.
fn steps(target: &Path) -> Option<Vec<OsString>> {
    let steps = target.iter().filter(|name| *name != ".");
    (!target.is_absolute()).then(|| steps.rev().map(Into::into).collect())
}

fn is_link(found: &OwnedFd) -> io::Result<bool> {
    let kind = SFlag::from_bits_truncate(fstat(found)?.st_mode);
    Ok(kind & SFlag::S_IFMT == SFlag::S_IFLNK)
}

fn leads_out(path: &Path) -> io::Error {
    io::Error::other(format!("“{}” leads out of the volume", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A folder, and beside it one that nothing in it may reach.
    fn world() -> (tempfile::TempDir, Folder, PathBuf) {
        let world = tempfile::tempdir().unwrap();
        let (inside, outside) = (world.path().join("in"), world.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "s").unwrap();
        let folder = Folder::at(&inside).unwrap();
        (world, folder, outside)
    }

    #[test]
    fn files_are_written_and_read_below() {
        let (world, folder, _) = world();
        folder.make("a/./b").unwrap();
        folder.write_new("a/b/x", b"1", 0o4640).unwrap();
        assert_eq!(folder.read("a/b/x").unwrap(), b"1");
        assert_eq!(folder.entries("a").unwrap(), ["b"]);
        let mode = fs::metadata(world.path().join("in/a/b/x")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o7777, 0o640);
    }

    #[test]
    fn no_path_leads_up_or_to_the_root() {
        let (_world, folder, outside) = world();
        for path in ["..", "../out/secret", "a/../../out", "/etc/passwd"] {
            assert!(folder.make(path).is_err(), "{path}");
            assert!(folder.create(path).is_err(), "{path}");
            assert!(folder.write_new(path, b"", 0o600).is_err(), "{path}");
            assert!(folder.read(path).is_err(), "{path}");
            assert!(folder.remove_all(path).is_err(), "{path}");
            assert!(folder.find(Path::new(path), true).is_err(), "{path}");
        }
        assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "s");
    }

    #[test]
    fn no_link_is_written_through_or_read_through() {
        let (world, folder, outside) = world();
        let inside = world.path().join("in");
        symlink(&outside, inside.join("link")).unwrap();
        symlink("../out/secret", inside.join("file")).unwrap();
        symlink("../out/new", inside.join("dangling")).unwrap();
        assert!(folder.make("link/x").is_err() && folder.make("link").is_err());
        assert!(folder.create("link/x").is_err() && folder.create("dangling").is_err());
        assert!(folder.write_new("link/x", b"", 0o600).is_err());
        assert!(folder.read("link/secret").is_err() && folder.read("file").is_err());
        assert!(folder.entries("link").is_err());
        folder.remove_all("link").unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_stays_inside_is_followed_and_no_other() {
        let (world, folder, outside) = world();
        let inside = world.path().join("in");
        folder.make("a/b").unwrap();
        folder.write_new("a/x", b"1", 0o644).unwrap();
        let links = [
            ("within", "a/x"),
            ("a/b/back", "../x"),
            ("root", "/etc"),
            ("up", "../out/secret"),
            ("round", "a/b/../../../out"),
            ("loop", "loop"),
        ];
        for (name, target) in links {
            symlink(target, inside.join(name)).unwrap();
        }
        symlink(&outside, inside.join("a/out")).unwrap();
        for path in ["within", "a/b/back", "a/x"] {
            let found = folder.find(Path::new(path), false).unwrap();
            assert!(found.metadata().unwrap().is_file(), "{path}");
        }
        for path in ["root", "up", "round", "loop", "a/out", "a/out/secret"] {
            assert!(folder.find(Path::new(path), true).is_err(), "{path}");
        }
        let error = folder.find(Path::new("up"), true).unwrap_err();
        assert_eq!(error.to_string(), "“up” leads out of the volume");
    }

    #[test]
    fn folders_that_are_missing_are_made_if_that_is_wanted() {
        let (world, folder, _) = world();
        assert!(folder.find(Path::new("a/b"), false).is_err());
        let found = folder.find(Path::new("a/b"), true).unwrap();
        assert!(found.metadata().unwrap().is_dir());
        assert!(world.path().join("in/a/b").is_dir());
    }
}
