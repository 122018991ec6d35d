//! producer_ids — numbers for idempotent producers, never the same one twice, not even after a restart.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// So many are taken from the file at once; a restart skips the rest of them.
const BLOCK: i64 = 1000;

/// Gives out producer ids.
#[derive(Debug)]
pub struct ProducerIds {
    path: PathBuf,
    next: i64,
    reserved: i64,
}

impl ProducerIds {
    /// Continues after what the file says was reserved.
    pub fn open(path: &Path) -> io::Result<ProducerIds> {
        let reserved = match std::fs::read_to_string(path) {
            Ok(text) => text.trim().parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(ProducerIds {
            path: path.to_path_buf(),
            next: reserved,
            reserved,
        })
    }

    /// An id that was never given out before.
    pub fn fresh(&mut self) -> io::Result<i64> {
        if self.next == self.reserved {
            self.reserve(self.reserved + BLOCK)?;
        }
        self.next += 1;
        Ok(self.next - 1)
    }

    /// Written down before the first of them is used; the rename makes it whole.
    fn reserve(&mut self, until: i64) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        writeln!(file, "{until}")?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)?;
        self.reserved = until;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_given_out_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("producer-ids");
        let mut given = vec![];
        for _start in 0..3 {
            let mut ids = ProducerIds::open(&path).unwrap();
            given.extend((0..BLOCK + 1).map(|_| ids.fresh().unwrap()));
        }
        assert!(
            given.is_sorted_by(|a, b| a < b),
            "each one larger than all before"
        );
    }

    #[test]
    fn a_file_that_makes_no_sense_stops_the_broker() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("producer-ids");
        std::fs::write(&path, "many").unwrap();
        assert!(ProducerIds::open(&path).is_err());
    }
}
