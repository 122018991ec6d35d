//! Files that somebody names: regular ones, and no more of them than makes sense.
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// So many bytes of a plan are read: it holds the objects of all manifests.
pub const PLAN_MAX: u64 = 64 << 20;
/// So many bytes of what says what a run is.
pub const RUN_MAX: u64 = 1 << 20;
/// So many bytes of what followed from a run.
pub const RESULT_MAX: u64 = 64 << 20;

/// The text of a file of at most so many bytes.
///
/// # Errors
/// When it cannot be read, is longer, or is not text; also when it is a device, a folder or a pipe, which may have no end.
pub fn read(path: &Path, max: u64) -> io::Result<String> {
    let mut bytes = vec![];
    open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!(
            "it has more than {max} bytes, the most that is read"
        )));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        io::Error::other(format!("it is not text: byte {at} is not UTF-8"))
    })
}

/// Opens a regular file.
///
/// # Errors
/// When it is none, or cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    // Asked before it is opened: opening a pipe waits for somebody who writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{sys::stat::Mode, unistd::mkfifo};

    #[test]
    fn only_a_regular_file_of_bounded_length_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let why = |path: &Path| read(path, 4).unwrap_err().to_string();
        assert_eq!(read(&file("a", b"1234"), 4).unwrap(), "1234");
        assert_eq!(
            why(&file("b", b"12345")),
            "it has more than 4 bytes, the most that is read"
        );
        assert_eq!(
            why(&file("c", b"1\xff")),
            "it is not text: byte 1 is not UTF-8"
        );
        let pipe = dir.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for strange in [dir.path(), &pipe, Path::new("/dev/zero")] {
            assert_eq!(why(strange), "it is not a regular file");
        }
    }
}
