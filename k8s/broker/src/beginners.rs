//! beginners — groups that have committed nothing: one that then begins at the end of a partition never reads what is there.
//!
//! A client asks for its group's committed offset first and, when there is none, for the beginning or the end of the partition
//! (`auto.offset.reset`). The second question names no group, so the first is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many partitions are remembered at most; beyond that all are forgotten, and a warning may be missed.
const REMEMBERED_MAX: usize = 4096;

/// A client, by its address and what it calls itself.
pub type Who = (IpAddr, String);
type Place = (String, i32);

/// The groups of each client that were told that they have committed nothing, by partition.
#[derive(Debug, Default)]
pub struct Beginners(BTreeMap<(Who, Place), BTreeSet<String>>);

impl Beginners {
    /// A group was told that it has committed nothing.
    pub fn has_none(&mut self, who: &Who, place: Place, group: &str) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        let groups = self.0.entry((who.clone(), place)).or_default();
        groups.insert(group.to_owned());
    }

    /// The client asks where the partition begins or ends. The groups it may ask for: one, or several that look the same from here.
    pub fn begin(&mut self, who: &Who, place: Place) -> Vec<String> {
        let groups = self.0.remove(&(who.clone(), place));
        groups.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn client(name: &str) -> Who {
        (Ipv4Addr::LOCALHOST.into(), name.into())
    }

    fn place() -> Place {
        ("bookings".into(), 0)
    }

    #[test]
    fn a_group_without_a_commit_begins_once() {
        let mut beginners = Beginners::default();
        beginners.has_none(&client("a"), place(), "pay");
        assert_eq!(beginners.begin(&client("b"), place()), [""; 0]);
        assert_eq!(beginners.begin(&client("a"), ("rooms".into(), 0)), [""; 0]);
        assert_eq!(beginners.begin(&client("a"), place()), ["pay"]);
        assert_eq!(beginners.begin(&client("a"), place()), [""; 0]);
    }

    #[test]
    fn groups_of_clients_that_look_the_same_are_all_named() {
        let mut beginners = Beginners::default();
        for group in ["pay", "alarm", "pay"] {
            beginners.has_none(&client("a"), place(), group);
        }
        assert_eq!(beginners.begin(&client("a"), place()), ["alarm", "pay"]);
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut beginners = Beginners::default();
        for index in 0..=REMEMBERED_MAX {
            let place = ("bookings".into(), i32::try_from(index).unwrap());
            beginners.has_none(&client("a"), place, "pay");
        }
        assert_eq!(beginners.0.len(), 1);
    }
}
