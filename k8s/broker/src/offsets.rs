//! offsets — how far each group has come: a file to which every commit is appended, rewritten when it has grown.
//!
//! An entry is its length, a CRC-32C and its fields; what follows the last good entry is cut off at the start.

use bytes::{Buf, BufMut, BytesMut};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The file may grow by so much, and by as much again as was alive, before it is rewritten.
const GROWTH_BYTES: u64 = 1 << 20;
/// Offset of an entry that says: this one is forgotten.
const FORGOTTEN: i64 = -1;
/// Length and checksum.
const ENTRY_HEAD_BYTES: usize = 8;

/// What a group committed for one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The next record to read.
    pub offset: i64,
    /// A note of the client's own.
    pub metadata: String,
}

type Place = (String, i32);

/// The committed offsets of all groups.
#[derive(Debug)]
pub struct Offsets {
    path: PathBuf,
    file: File,
    bytes: u64,
    rewrite_at: u64,
    fsync: bool,
    groups: BTreeMap<String, BTreeMap<Place, Committed>>,
}

impl Offsets {
    /// Reads what was committed before, cutting a torn tail.
    pub fn open(path: &Path, fsync: bool) -> io::Result<Offsets> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let found = std::fs::read(path)?;
        let (path, groups) = (path.to_path_buf(), BTreeMap::new());
        let mut offsets = Offsets {
            path,
            file,
            bytes: 0,
            rewrite_at: 0,
            fsync,
            groups,
        };
        let mut rest = &found[..];
        while let Some((group, place, committed)) = next_entry(&mut rest) {
            offsets.note(&group, place, committed);
        }
        if !rest.is_empty() {
            tracing::warn!(
                bytes = rest.len(),
                "cut a torn tail of the committed offsets"
            );
        }
        offsets.rewrite()?;
        Ok(offsets)
    }

    /// What a group committed for a partition.
    pub fn of(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.get(&(topic.to_string(), partition))
    }

    /// Whether a group ever committed anything.
    pub fn knows(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// The partitions for which a group committed something, by topic.
    pub fn partitions_of(&self, group: &str) -> BTreeMap<String, Vec<i32>> {
        let mut by_topic: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self.groups.get(group).into_iter().flat_map(BTreeMap::keys) {
            by_topic.entry(topic.clone()).or_default().push(*partition);
        }
        by_topic
    }

    /// Commits all of these or, on an error, none.
    pub fn commit(&mut self, group: &str, all: Vec<(Place, Committed)>) -> io::Result<()> {
        let mut entries = BytesMut::new();
        for (place, committed) in &all {
            put_entry(&mut entries, group, place, committed);
        }
        self.append(&entries)?;
        for (place, committed) in all {
            self.note(group, place, committed);
        }
        if self.bytes > self.rewrite_at {
            self.rewrite()
        } else {
            Ok(())
        }
    }

    /// Forgets what all groups committed for a topic that is no more.
    pub fn forget_topic(&mut self, topic: &str) -> io::Result<()> {
        let forgotten = || Committed {
            offset: FORGOTTEN,
            metadata: String::new(),
        };
        let groups: Vec<String> = self.groups.keys().cloned().collect();
        for group in groups {
            let places = self.groups[&group].keys().filter(|(name, _)| name == topic);
            let all: Vec<_> = places.map(|place| (place.clone(), forgotten())).collect();
            self.commit(&group, all)?;
        }
        Ok(())
    }

    fn note(&mut self, group: &str, place: Place, committed: Committed) {
        let places = self.groups.entry(group.to_string()).or_default();
        if committed.offset == FORGOTTEN {
            places.remove(&place);
        } else {
            places.insert(place, committed);
        }
    }

    fn append(&mut self, entries: &[u8]) -> io::Result<()> {
        let written = self
            .file
            .write_all_at(entries, self.bytes)
            .and_then(|()| self.sync_if_asked());
        if written.is_err() {
            let _ = self.file.set_len(self.bytes);
        }
        written.map(|()| self.bytes += entries.len() as u64)
    }

    fn sync_if_asked(&self) -> io::Result<()> {
        if self.fsync {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }

    /// Writes down only what is alive; the rename makes it whole.
    fn rewrite(&mut self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut entries = BytesMut::new();
        for (group, places) in &self.groups {
            for (place, committed) in places {
                put_entry(&mut entries, group, place, committed);
            }
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&new)?;
        file.write_all_at(&entries, 0)?;
        file.sync_data()?;
        std::fs::rename(&new, &self.path)?;
        (self.file, self.bytes) = (file, entries.len() as u64);
        self.rewrite_at = GROWTH_BYTES + 2 * self.bytes;
        Ok(())
    }
}

fn put_entry(out: &mut BytesMut, group: &str, (topic, partition): &Place, committed: &Committed) {
    let mut fields = BytesMut::new();
    for text in [group, topic, &committed.metadata] {
        fields.put_u32(text.len() as u32);
        fields.put_slice(text.as_bytes());
    }
    fields.put_i32(*partition);
    fields.put_i64(committed.offset);
    out.put_u32(fields.len() as u32);
    out.put_u32(crc32c::crc32c(&fields));
    out.put_slice(&fields);
}

/// The next entry if it is good; `rest` then begins after it.
fn next_entry(rest: &mut &[u8]) -> Option<(String, Place, Committed)> {
    let mut head = rest.get(..ENTRY_HEAD_BYTES)?;
    let (length, crc) = (head.get_u32() as usize, head.get_u32());
    let mut fields = rest.get(ENTRY_HEAD_BYTES..)?.get(..length)?;
    if crc32c::crc32c(fields) != crc {
        return None;
    }
    let (group, topic, metadata) = (text(&mut fields)?, text(&mut fields)?, text(&mut fields)?);
    let (partition, offset) = (fields.try_get_i32().ok()?, fields.try_get_i64().ok()?);
    *rest = &rest[ENTRY_HEAD_BYTES + length..];
    Some((group, (topic, partition), Committed { offset, metadata }))
}

fn text(from: &mut &[u8]) -> Option<String> {
    let length = from.try_get_u32().ok()? as usize;
    let text = from.get(..length)?;
    *from = &from[length..];
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed {
            offset,
            metadata: "a\tnote\n".to_string(),
        }
    }

    fn place(partition: i32) -> Place {
        ("bookings".to_string(), partition)
    }

    #[test]
    fn the_latest_commit_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let mut offsets = Offsets::open(&path, false).unwrap();
        offsets
            .commit("pay", vec![(place(0), at(5)), (place(1), at(7))])
            .unwrap();
        offsets.commit("pay", vec![(place(0), at(6))]).unwrap();
        let again = Offsets::open(&path, false).unwrap();
        assert_eq!(again.of("pay", "bookings", 0), Some(&at(6)));
        assert_eq!(again.of("pay", "bookings", 1), Some(&at(7)));
        assert_eq!(again.of("alarm", "bookings", 0), None);
        assert_eq!(
            again.partitions_of("pay"),
            BTreeMap::from([("bookings".to_string(), vec![0, 1])])
        );
    }

    #[test]
    fn a_torn_commit_is_cut_and_the_one_before_it_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        Offsets::open(&path, false)
            .unwrap()
            .commit("pay", vec![(place(0), at(5))])
            .unwrap();
        let mut torn = std::fs::read(&path).unwrap();
        let whole = torn.clone();
        torn.extend(&whole[..whole.len() - 1]);
        std::fs::write(&path, torn).unwrap();
        assert_eq!(
            Offsets::open(&path, false)
                .unwrap()
                .of("pay", "bookings", 0),
            Some(&at(5))
        );
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn the_file_does_not_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let mut offsets = Offsets::open(&path, false).unwrap();
        for offset in 0..40_000 {
            offsets.commit("pay", vec![(place(0), at(offset))]).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= GROWTH_BYTES + 1000);
        assert_eq!(
            Offsets::open(&path, false)
                .unwrap()
                .of("pay", "bookings", 0),
            Some(&at(39_999))
        );
    }

    #[test]
    fn a_deleted_topic_is_forgotten_by_all_groups() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("offsets");
        let mut offsets = Offsets::open(&path, false).unwrap();
        offsets.commit("pay", vec![(place(0), at(5))]).unwrap();
        offsets.forget_topic("bookings").unwrap();
        assert_eq!(offsets.of("pay", "bookings", 0), None);
        assert_eq!(
            Offsets::open(&path, false)
                .unwrap()
                .of("pay", "bookings", 0),
            None
        );
    }
}
