//! topics — what topics there are: a folder each, with a file for each partition.

use crate::KafkaError;
use crate::log::{PartitionLog, Quota};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

/// Partitions of all topics together: each keeps a file open.
const PARTITIONS_MAX: usize = 800;
/// Kafka's limit.
const NAME_BYTES_MAX: usize = 249;

/// A partition, locked while it is read or written.
pub type Partition = Arc<Mutex<PartitionLog>>;

/// All topics of a broker.
#[derive(Debug)]
pub struct Topics {
    dir: PathBuf,
    fsync: bool,
    max_topic_bytes: u64,
    all: RwLock<BTreeMap<String, Vec<Partition>>>,
}

/// Why the lock is always there to be had.
const UNPOISONED: &str = "nobody panics while holding the topics";

impl Topics {
    /// Opens every topic in `dir`, cutting torn tails.
    pub fn open(dir: &Path, fsync: bool, max_topic_bytes: u64) -> io::Result<Topics> {
        let topics = Topics {
            dir: dir.to_path_buf(),
            fsync,
            max_topic_bytes,
            all: RwLock::default(),
        };
        fs::create_dir_all(topics.dir.join("topics"))?;
        for leftover in [topics.being_made(), topics.being_deleted()] {
            remove_if_there(&leftover)?;
        }
        for entry in fs::read_dir(topics.dir.join("topics"))? {
            let path = entry?.path();
            let count = fs::read_dir(&path)?.count();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let partitions = topics.open_partitions(&path, count)?;
            topics
                .all
                .write()
                .expect(UNPOISONED)
                .insert(name, partitions);
        }
        Ok(topics)
    }

    fn being_made(&self) -> PathBuf {
        self.dir.join("topic-being-made")
    }

    fn being_deleted(&self) -> PathBuf {
        self.dir.join("topic-being-deleted")
    }

    fn open_partitions(&self, path: &Path, count: usize) -> io::Result<Vec<Partition>> {
        let quota = Arc::new(Quota::new(self.max_topic_bytes));
        let open = |i| PartitionLog::open(&path.join(file_name(i)), self.fsync, quota.clone());
        (0..count)
            .map(|i| Ok(Arc::new(Mutex::new(open(i)?))))
            .collect()
    }

    /// Names of all topics, sorted.
    pub fn names(&self) -> Vec<String> {
        self.all.read().expect(UNPOISONED).keys().cloned().collect()
    }

    /// How many partitions a topic has; `None` when there is no such topic.
    pub fn partitions(&self, name: &str) -> Option<usize> {
        self.all.read().expect(UNPOISONED).get(name).map(Vec::len)
    }

    /// One partition of a topic.
    pub fn partition(&self, name: &str, index: i32) -> Result<Partition, KafkaError> {
        let all = self.all.read().expect(UNPOISONED);
        let found = usize::try_from(index)
            .ok()
            .and_then(|index| all.get(name)?.get(index).cloned());
        found.ok_or(KafkaError::UnknownTopicOrPartition)
    }

    /// Whether a topic could be created.
    pub fn may_create(&self, name: &str, partitions: i32) -> Result<usize, KafkaError> {
        let all = self.all.read().expect(UNPOISONED);
        if !is_valid(name) {
            return Err(KafkaError::InvalidTopicException);
        }
        if all.contains_key(name) {
            return Err(KafkaError::TopicAlreadyExists);
        }
        let wanted = usize::try_from(partitions)
            .ok()
            .filter(|wanted| *wanted > 0)
            .ok_or(KafkaError::InvalidPartitions)?;
        let there: usize = all.values().map(Vec::len).sum();
        if there + wanted > PARTITIONS_MAX {
            Err(KafkaError::PolicyViolation)
        } else {
            Ok(wanted)
        }
    }

    /// Creates a topic; after a crash it is there with all its partitions or not at all.
    pub fn create(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let count = self.may_create(name, partitions)?;
        let mut all = self.all.write().expect(UNPOISONED);
        if all.contains_key(name) {
            return Err(KafkaError::TopicAlreadyExists);
        }
        let made = self
            .make(name, count)
            .map_err(|error| storage_error(error, "create", name))?;
        all.insert(name.to_string(), made);
        Ok(())
    }

    fn make(&self, name: &str, count: usize) -> io::Result<Vec<Partition>> {
        let (new, path) = (self.being_made(), self.dir.join("topics").join(name));
        remove_if_there(&new)?;
        fs::create_dir(&new)?;
        for i in 0..count {
            File::create(new.join(file_name(i)))?;
        }
        fs::rename(&new, &path)?;
        if self.fsync {
            File::open(self.dir.join("topics"))?.sync_all()?;
        }
        self.open_partitions(&path, count)
    }

    /// Deletes a topic and everything in it.
    pub fn delete(&self, name: &str) -> Result<(), KafkaError> {
        let mut all = self.all.write().expect(UNPOISONED);
        if !all.contains_key(name) {
            return Err(KafkaError::UnknownTopicOrPartition);
        }
        self.take_away(name)
            .map_err(|error| storage_error(error, "delete", name))?;
        all.remove(name);
        // It is gone already; what cannot be removed now is removed at the next start.
        if let Err(error) = remove_if_there(&self.being_deleted()) {
            tracing::warn!(%error, topic = name, "cannot remove the records of a deleted topic yet");
        }
        Ok(())
    }

    fn take_away(&self, name: &str) -> io::Result<()> {
        remove_if_there(&self.being_deleted())?;
        fs::rename(self.dir.join("topics").join(name), self.being_deleted())
    }

    /// Everything appended is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        let all = self.all.read().expect(UNPOISONED);
        all.values()
            .flatten()
            .try_for_each(|partition| partition.lock().expect("no panic while appending").sync())
    }
}

/// Kafka's rule for topic names, which also makes them safe as names of folders.
pub fn is_valid(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX && name.bytes().all(legal)
}

fn file_name(partition: usize) -> String {
    format!("{partition}.log")
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn storage_error(error: io::Error, doing: &str, topic: &str) -> KafkaError {
    tracing::error!(%error, topic, "cannot {doing} a topic");
    KafkaError::KafkaStorageError
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch;

    fn open(dir: &Path) -> Topics {
        Topics::open(dir, false, 1 << 20).unwrap()
    }

    #[test]
    fn a_topic_and_its_records_are_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(dir.path());
        topics.create("bookings", 3).unwrap();
        topics
            .partition("bookings", 2)
            .unwrap()
            .lock()
            .unwrap()
            .append(&batch(&["x"]))
            .unwrap();
        let again = open(dir.path());
        assert_eq!(
            (again.names(), again.partitions("bookings")),
            (vec!["bookings".to_string()], Some(3))
        );
        assert_eq!(
            again
                .partition("bookings", 2)
                .unwrap()
                .lock()
                .unwrap()
                .end(),
            1
        );
    }

    #[test]
    fn a_topic_is_created_once_and_with_at_least_one_partition() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(dir.path());
        assert_eq!(topics.create("t", 0), Err(KafkaError::InvalidPartitions));
        assert_eq!(topics.create("t", 1), Ok(()));
        assert_eq!(topics.create("t", 1), Err(KafkaError::TopicAlreadyExists));
        assert_eq!(
            topics.create("huge", 1_000_000),
            Err(KafkaError::PolicyViolation)
        );
    }

    #[test]
    fn names_that_are_no_names_never_reach_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(250);
        for name in ["", ".", "..", "a/b", "../up", "ä", "a b", &long] {
            assert_eq!(
                open(dir.path()).create(name, 1),
                Err(KafkaError::InvalidTopicException),
                "{name}"
            );
        }
    }

    #[test]
    fn a_deleted_topic_starts_anew_when_it_is_created_again() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(dir.path());
        topics.create("t", 1).unwrap();
        topics
            .partition("t", 0)
            .unwrap()
            .lock()
            .unwrap()
            .append(&batch(&["old"]))
            .unwrap();
        assert_eq!(topics.delete("t"), Ok(()));
        assert_eq!(topics.delete("t"), Err(KafkaError::UnknownTopicOrPartition));
        topics.create("t", 1).unwrap();
        assert_eq!(topics.partition("t", 0).unwrap().lock().unwrap().end(), 0);
    }

    #[test]
    fn there_is_no_partition_beyond_the_last_and_none_before_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let topics = open(dir.path());
        topics.create("t", 1).unwrap();
        for (name, index) in [("t", 1), ("t", -1), ("u", 0)] {
            assert_eq!(
                topics.partition(name, index).err(),
                Some(KafkaError::UnknownTopicOrPartition)
            );
        }
    }
}
