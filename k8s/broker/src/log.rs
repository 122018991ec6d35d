//! log — one partition: an append-only file of record batches, as the producers sent them.
//!
//! A batch that was acknowledged is in the file (with `fsync`, on the disk) and survives the end of the process. A
//! batch that was being written when the process died is cut off at the next start.

use crate::KafkaError;
use crate::batch::{self, BATCH_BYTES_MAX, HEADER_BYTES, Header};
use crate::producers::Producers;
use bytes::Bytes;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One index entry for about so many bytes: small in memory, few headers to walk.
const INDEX_STEP: u64 = 4096;

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The checksum or a length does not fit.
    #[error("the batch is corrupt")]
    Corrupt,
    /// Not exactly one batch of format v2 outside any transaction.
    #[error("not one plain batch of format v2")]
    Invalid,
    /// Larger than [`BATCH_BYTES_MAX`].
    #[error("the batch is too large")]
    TooLarge,
    /// Something the producer sent before is missing.
    #[error("a batch before this one is missing")]
    OutOfOrder,
    /// A later session of this producer has written already.
    #[error("the producer was replaced")]
    Fenced,
    /// The topic holds as much as it may.
    #[error("the topic is full")]
    Full,
    /// The disk did not take it.
    #[error("the disk refused it: {0}")]
    Disk(#[from] io::Error),
}

impl From<&Refusal> for KafkaError {
    fn from(refusal: &Refusal) -> KafkaError {
        match refusal {
            Refusal::Corrupt => KafkaError::CorruptMessage,
            Refusal::Invalid => KafkaError::InvalidRecord,
            Refusal::TooLarge => KafkaError::MessageTooLarge,
            Refusal::OutOfOrder => KafkaError::OutOfOrderSequenceNumber,
            Refusal::Fenced => KafkaError::InvalidProducerEpoch,
            // Not retriable: the producer hears of it at once.
            Refusal::Full => KafkaError::PolicyViolation,
            // Retriable: the producer keeps the batch until there is room.
            Refusal::Disk(_) => KafkaError::KafkaStorageError,
        }
    }
}

/// How many bytes the partitions of one topic may hold together.
#[derive(Debug)]
pub struct Quota {
    used: AtomicU64,
    max: u64,
}

impl Quota {
    /// Nothing used of `max` bytes.
    pub fn new(max: u64) -> Quota {
        Quota {
            used: AtomicU64::new(0),
            max,
        }
    }

    fn claim(&self, bytes: u64) -> Result<(), Refusal> {
        let fits = |used: u64| Some(used + bytes).filter(|sum| *sum <= self.max);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(drop)
            .map_err(|_| Refusal::Full)
    }

    fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// One partition.
#[derive(Debug)]
pub struct PartitionLog {
    file: File,
    bytes: u64,
    end: i64,
    /// (offset, position) of about one batch in [`INDEX_STEP`] bytes.
    index: Vec<(i64, u64)>,
    producers: Producers,
    quota: Arc<Quota>,
    fsync: bool,
}

impl PartitionLog {
    /// Opens or creates the file, checks every batch in it and cuts off what follows the last good one.
    pub fn open(path: &Path, fsync: bool, quota: Arc<Quota>) -> io::Result<PartitionLog> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let (index, producers) = (vec![], Producers::default());
        let mut log = PartitionLog {
            file,
            bytes: 0,
            end: 0,
            index,
            producers,
            quota,
            fsync,
        };
        let found = log.file.metadata()?.len();
        while let Some(header) = log.next_whole(found)? {
            log.note(&header, header.base_offset);
        }
        if log.bytes < found {
            tracing::warn!(path = %path.display(), bytes = found - log.bytes, offset = log.end, "cut a torn tail");
            log.file.set_len(log.bytes)?;
        }
        log.quota.used.fetch_add(log.bytes, Ordering::Relaxed);
        Ok(log)
    }

    /// The batch at the current end of what is known to be good, if it is good as well.
    fn next_whole(&self, found: u64) -> io::Result<Option<Header>> {
        let room = found - self.bytes;
        if room < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let follows =
            |h: &Header| h.base_offset == self.end && h.bytes <= room.min(BATCH_BYTES_MAX as u64);
        let Some(header) = self.header_at(self.bytes)?.filter(follows) else {
            return Ok(None);
        };
        let batch = self.read_at(self.bytes, header.bytes)?;
        Ok(batch::is_whole(&header, &batch).then_some(header))
    }

    fn note(&mut self, header: &Header, base_offset: i64) {
        if self
            .index
            .last()
            .is_none_or(|(_, position)| self.bytes - position >= INDEX_STEP)
        {
            self.index.push((base_offset, self.bytes));
        }
        self.producers.note(header, base_offset);
        self.end = base_offset + i64::from(header.last_delta) + 1;
        self.bytes += header.bytes;
    }

    /// Appends one batch; the offset of its first record. A repetition is answered with its first offset.
    pub fn append(&mut self, records: &[u8]) -> Result<i64, Refusal> {
        let header = batch::check(records)?;
        if let Some(already) = self.producers.seen(&header)? {
            return Ok(already);
        }
        self.quota.claim(header.bytes)?;
        if let Err(error) = self.write(&batch::placed(records, self.end)) {
            self.quota.release(header.bytes);
            return Err(Refusal::Disk(error));
        }
        let base_offset = self.end;
        self.note(&header, base_offset);
        Ok(base_offset)
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let written = self
            .file
            .write_all_at(batch, self.bytes)
            .and_then(|()| self.sync_if_asked());
        if written.is_err() {
            // Half a batch must not stay: where cutting fails as well, the next one overwrites it.
            let _ = self.file.set_len(self.bytes);
        }
        written
    }

    fn sync_if_asked(&self) -> io::Result<()> {
        if self.fsync {
            self.file.sync_data()
        } else {
            Ok(())
        }
    }

    /// Everything appended is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// From the batch that holds `offset`: that one whole, then as much as fits in `max` bytes.
    pub fn read(&self, offset: i64, max: u64) -> Result<Bytes, KafkaError> {
        if offset < 0 || offset > self.end {
            return Err(KafkaError::OffsetOutOfRange);
        }
        let read = || -> io::Result<Bytes> {
            let Some((position, first)) = self.find(offset)? else {
                return Ok(Bytes::new());
            };
            self.read_at(position, first.bytes.max(max).min(self.bytes - position))
        };
        read().map_err(|error| {
            tracing::error!(%error, offset, "cannot read a log");
            KafkaError::KafkaStorageError
        })
    }

    /// The first record at or after `timestamp`: its offset and time.
    pub fn first_since(&self, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
        let mut position = 0;
        while position < self.bytes {
            let Some(header) = self.header_at(position)? else {
                break;
            };
            if header.max_timestamp >= timestamp {
                return Ok(batch::first_since(
                    &self.read_at(position, header.bytes)?,
                    timestamp,
                ));
            }
            position += header.bytes;
        }
        Ok(None)
    }

    fn find(&self, offset: i64) -> io::Result<Option<(u64, Header)>> {
        let after = self.index.partition_point(|(base, _)| *base <= offset);
        let mut position = after.checked_sub(1).map_or(0, |entry| self.index[entry].1);
        while position < self.bytes {
            let Some(header) = self.header_at(position)? else {
                break;
            };
            if header.last_offset() >= offset {
                return Ok(Some((position, header)));
            }
            position += header.bytes;
        }
        Ok(None)
    }

    fn header_at(&self, position: u64) -> io::Result<Option<Header>> {
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut bytes, position)?;
        Ok(Header::parse(&bytes))
    }

    fn read_at(&self, position: u64, bytes: u64) -> io::Result<Bytes> {
        let mut out = vec![0; bytes as usize];
        self.file.read_exact_at(&mut out, position)?;
        Ok(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::{batch, batch_of};

    fn open(path: &Path) -> PartitionLog {
        PartitionLog::open(path, false, Arc::new(Quota::new(u64::MAX))).unwrap()
    }

    fn bases(log: &PartitionLog, from: i64) -> Vec<i64> {
        let mut bytes = log.read(from, u64::MAX >> 1).unwrap();
        let mut found = vec![];
        while let Some(header) = Header::parse(&bytes) {
            found.push(header.base_offset);
            bytes = bytes.slice(header.bytes as usize..);
        }
        found
    }

    #[test]
    fn offsets_follow_each_other_and_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let mut log = open(&path);
        assert_eq!(log.append(&batch(&["a", "b"])).unwrap(), 0);
        assert_eq!(log.append(&batch(&["c"])).unwrap(), 2);
        drop(log);
        let mut log = open(&path);
        assert_eq!(log.end(), 3);
        assert_eq!(log.append(&batch(&["d"])).unwrap(), 3);
        assert_eq!(bases(&log, 0), [0, 2, 3]);
    }

    #[test]
    fn what_is_on_the_disk_before_it_is_acknowledged_reads_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let quota = Arc::new(Quota::new(u64::MAX));
        let mut log = PartitionLog::open(&dir.path().join("0.log"), true, quota).unwrap();
        assert_eq!(log.append(&batch(&["a"])).unwrap(), 0);
        assert_eq!(bases(&log, 0), [0]);
    }

    #[test]
    fn a_read_begins_with_the_batch_that_holds_the_offset() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(&dir.path().join("0.log"));
        for _ in 0..500 {
            log.append(&batch(&["some value", "another"])).unwrap();
        }
        assert_eq!(bases(&log, 301)[0], 300);
        assert_eq!(bases(&log, 999)[..], [998]);
        assert_eq!(log.read(1000, 10).unwrap(), Bytes::new());
        assert_eq!(log.read(1001, 10), Err(KafkaError::OffsetOutOfRange));
        assert_eq!(log.read(-1, 10), Err(KafkaError::OffsetOutOfRange));
    }

    #[test]
    fn the_first_batch_comes_whole_however_small_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(&dir.path().join("0.log"));
        let sent = batch(&["longer than one byte"]);
        log.append(&sent).unwrap();
        assert_eq!(log.read(0, 1).unwrap().len(), sent.len());
    }

    #[test]
    fn a_torn_tail_is_cut_at_the_last_good_batch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        open(&path).append(&batch(&["kept"])).unwrap();
        let good = std::fs::read(&path).unwrap();
        let next = batch::placed(&batch(&["torn"]), 1);
        for cut in [1, 20, HEADER_BYTES, next.len() - 1] {
            std::fs::write(&path, [&good[..], &next[..cut]].concat()).unwrap();
            assert_eq!(
                (open(&path).end(), std::fs::read(&path).unwrap()),
                (1, good.clone()),
                "after {cut} bytes"
            );
        }
        let mut rotten = next.clone();
        *rotten.last_mut().unwrap() ^= 1;
        std::fs::write(&path, [&good[..], &rotten].concat()).unwrap();
        assert_eq!(open(&path).end(), 1);
    }

    #[test]
    fn repetitions_are_recognised_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        open(&path).append(&batch_of(7, 0, 0, &["once"])).unwrap();
        let mut log = open(&path);
        assert_eq!(log.append(&batch_of(7, 0, 0, &["once"])).unwrap(), 0);
        assert_eq!(log.end(), 1);
        assert!(matches!(
            log.append(&batch_of(7, 0, 2, &["gap"])),
            Err(Refusal::OutOfOrder)
        ));
    }

    #[test]
    fn a_full_topic_refuses_and_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let one = batch(&["x"]).len() as u64;
        let quota = Arc::new(Quota::new(one));
        let mut first =
            PartitionLog::open(&dir.path().join("0.log"), false, quota.clone()).unwrap();
        let mut second = PartitionLog::open(&dir.path().join("1.log"), false, quota).unwrap();
        assert_eq!(first.append(&batch(&["x"])).unwrap(), 0);
        assert!(matches!(second.append(&batch(&["x"])), Err(Refusal::Full)));
        assert_eq!((first.end(), second.end()), (1, 0));
    }

    #[test]
    fn a_full_disk_refuses_and_nothing_half_written_counts() {
        let full = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/full")
            .unwrap();
        let quota = Arc::new(Quota::new(1000));
        let mut log = PartitionLog {
            file: full,
            bytes: 0,
            end: 0,
            index: vec![],
            producers: Producers::default(),
            quota: quota.clone(),
            fsync: false,
        };
        assert!(matches!(log.append(&batch(&["x"])), Err(Refusal::Disk(_))));
        assert_eq!((log.end(), quota.used.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn a_time_leads_to_the_first_record_since() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(&dir.path().join("0.log"));
        log.append(&batch(&["at 1000"])).unwrap();
        log.append(&batch(&["at 1000", "at 1001"])).unwrap();
        assert_eq!(log.first_since(1001).unwrap(), Some((2, 1001)));
        assert_eq!(log.first_since(1002).unwrap(), None);
    }
}
