//! shape — checks every length in a request before the codec sees it.
//!
//! The codec reserves memory for as many elements as an array claims to have, so that twenty hostile bytes could
//! ask for gigabytes and end the process. Here a request is walked first, and claims that its own size cannot
//! bear out are refused.

use bytes::Buf;
use kafka_protocol::messages::ApiKey;

/// One field: since which version, until which, and what it is.
struct Field(i16, i16, Kind);

enum Kind {
    /// So many bytes.
    Fixed(usize),
    Text,
    Blob,
    /// Structures of these fields.
    List(&'static [Field]),
    /// Bare values.
    Values(&'static Kind),
}
use Kind::{Blob, Fixed, List, Text, Values};

/// Elements of all arrays of one request together.
const ELEMENTS_MAX: usize = 100_000;
const LAST: i16 = i16::MAX;
const BOOL: Kind = Fixed(1);
const I8: Kind = Fixed(1);
const I16: Kind = Fixed(2);
const I32: Kind = Fixed(4);
const I64: Kind = Fixed(8);

const fn always(kind: Kind) -> Field {
    Field(0, LAST, kind)
}

const fn since(version: i16, kind: Kind) -> Field {
    Field(version, LAST, kind)
}

const PRODUCE: &[Field] = &[
    always(Text),
    always(I16),
    always(I32),
    always(List(&[
        always(Text),
        always(List(&[always(I32), always(Blob)])),
    ])),
];
const FETCH_PARTITION: &[Field] = &[
    always(I32),
    since(9, I32),
    always(I64),
    since(12, I32),
    since(5, I64),
    always(I32),
];
const FETCH: &[Field] = &[
    always(I32),
    always(I32),
    always(I32),
    always(I32),
    always(I8),
    since(7, I32),
    since(7, I32),
    always(List(&[always(Text), always(List(FETCH_PARTITION))])),
    since(7, List(&[always(Text), always(Values(&I32))])),
    since(11, Text),
];
const LIST_OFFSETS: &[Field] = &[
    always(I32),
    since(2, I8),
    always(List(&[
        always(Text),
        always(List(&[always(I32), since(4, I32), always(I64)])),
    ])),
];
const METADATA: &[Field] = &[
    always(List(&[always(Text)])),
    since(4, BOOL),
    since(8, BOOL),
    since(8, BOOL),
];
const OFFSET_COMMIT: &[Field] = &[
    always(Text),
    always(I32),
    always(Text),
    since(7, Text),
    Field(2, 4, I64),
    always(List(&[
        always(Text),
        always(List(&[
            always(I32),
            always(I64),
            since(6, I32),
            always(Text),
        ])),
    ])),
];
const OFFSET_FETCH: &[Field] = &[
    always(Text),
    always(List(&[always(Text), always(Values(&I32))])),
    since(7, BOOL),
];
const FIND_COORDINATOR: &[Field] = &[Field(0, 3, Text), since(1, I8), since(4, Values(&Text))];
const JOIN_GROUP: &[Field] = &[
    always(Text),
    always(I32),
    since(1, I32),
    always(Text),
    since(5, Text),
    always(Text),
    always(List(&[always(Text), always(Blob)])),
    since(8, Text),
];
const HEARTBEAT: &[Field] = &[always(Text), always(I32), always(Text), since(3, Text)];
const LEAVE_GROUP: &[Field] = &[
    always(Text),
    Field(0, 2, Text),
    since(3, List(&[always(Text), always(Text), since(5, Text)])),
];
const SYNC_GROUP: &[Field] = &[
    always(Text),
    always(I32),
    always(Text),
    since(3, Text),
    since(5, Text),
    since(5, Text),
    always(List(&[always(Text), always(Blob)])),
];
const DESCRIBE_GROUPS: &[Field] = &[always(Values(&Text)), since(3, BOOL)];
const LIST_GROUPS: &[Field] = &[since(4, Values(&Text))];
const API_VERSIONS: &[Field] = &[since(3, Text), since(3, Text)];
const CREATE_TOPIC: &[Field] = &[
    always(Text),
    always(I32),
    always(I16),
    always(List(&[always(I32), always(Values(&I32))])),
    always(List(&[always(Text), always(Text)])),
];
const CREATE_TOPICS: &[Field] = &[always(List(CREATE_TOPIC)), always(I32), always(BOOL)];
const DELETE_TOPICS: &[Field] = &[always(Values(&Text)), always(I32)];
const INIT_PRODUCER_ID: &[Field] = &[always(Text), always(I32), since(3, I64), since(3, I16)];

/// The fields of a request, and the first version in the compact ("flexible") encoding.
fn fields(key: ApiKey) -> Option<(i16, &'static [Field])> {
    Some(match key {
        ApiKey::Produce => (9, PRODUCE),
        ApiKey::Fetch => (12, FETCH),
        ApiKey::ListOffsets => (6, LIST_OFFSETS),
        ApiKey::Metadata => (9, METADATA),
        ApiKey::OffsetCommit => (8, OFFSET_COMMIT),
        ApiKey::OffsetFetch => (6, OFFSET_FETCH),
        ApiKey::FindCoordinator => (3, FIND_COORDINATOR),
        ApiKey::JoinGroup => (6, JOIN_GROUP),
        ApiKey::Heartbeat => (4, HEARTBEAT),
        ApiKey::LeaveGroup => (4, LEAVE_GROUP),
        ApiKey::SyncGroup => (4, SYNC_GROUP),
        ApiKey::DescribeGroups => (5, DESCRIBE_GROUPS),
        ApiKey::ListGroups => (3, LIST_GROUPS),
        ApiKey::ApiVersions => (3, API_VERSIONS),
        ApiKey::CreateTopics => (5, CREATE_TOPICS),
        ApiKey::DeleteTopics => (4, DELETE_TOPICS),
        ApiKey::InitProducerId => (2, INIT_PRODUCER_ID),
        _ => return None,
    })
}

/// Walks the body of a request; `None` when a length in it cannot be. What is left over after it is returned.
pub fn check(key: ApiKey, version: i16, body: &[u8]) -> Option<usize> {
    let (flexible_since, fields) = fields(key)?;
    let mut walk = Walk {
        version,
        flexible: version >= flexible_since,
        rest: body,
        elements: 0,
    };
    walk.structure(fields)?;
    Some(walk.rest.len())
}

struct Walk<'a> {
    version: i16,
    flexible: bool,
    rest: &'a [u8],
    elements: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        for Field(since, until, kind) in fields {
            if (*since..=*until).contains(&self.version) {
                self.field(kind)?;
            }
        }
        if self.flexible { self.tags() } else { Some(()) }
    }

    fn field(&mut self, kind: &Kind) -> Option<()> {
        match kind {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let length = if self.flexible {
                    self.compact_length()?
                } else {
                    plain(self.rest.try_get_i16().ok()?.into())?
                };
                self.skip(length)
            }
            Blob => {
                let length = self.long_length()?;
                self.skip(length)
            }
            List(fields) => self.each(|walk| walk.structure(fields)),
            Values(kind) => self.each(|walk| walk.field(kind)),
        }
    }

    /// Every element is there before the next is looked at, so a claim is at most as large as the request.
    fn each(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let count = self.long_length()?;
        self.elements = self.elements.checked_add(count)?;
        if count > self.rest.len() || self.elements > ELEMENTS_MAX {
            return None;
        }
        (0..count).try_for_each(|_| element(self))
    }

    fn long_length(&mut self) -> Option<usize> {
        if self.flexible {
            self.compact_length()
        } else {
            plain(self.rest.try_get_i32().ok()?)
        }
    }

    /// One more than the length; zero stands for null.
    fn compact_length(&mut self) -> Option<usize> {
        Some(self.unsigned()?.saturating_sub(1) as usize)
    }

    fn tags(&mut self) -> Option<()> {
        let count = self.unsigned()?;
        for _ in 0..count {
            let _tag = self.unsigned()?;
            let length = self.unsigned()?;
            self.skip(length as usize)?;
        }
        Some(())
    }

    fn unsigned(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.rest.try_get_u8().ok()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }
}

/// −1 stands for null.
fn plain(length: i32) -> Option<usize> {
    if length == -1 {
        Some(0)
    } else {
        usize::try_from(length).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::SERVED;
    use crate::dispatch::samples::sample;
    use bytes::BytesMut;

    #[test]
    fn every_request_in_every_served_version_is_walked_to_its_last_byte() {
        for &(key, lowest, highest) in SERVED {
            for version in lowest..=highest {
                let mut body = BytesMut::new();
                sample(key, version).encode(&mut body, version).unwrap();
                assert_eq!(check(key, version, &body), Some(0), "{key:?} {version}");
            }
        }
    }

    #[test]
    fn a_request_that_ends_early_is_refused_wherever_it_ends() {
        for &(key, _, highest) in SERVED {
            let mut body = BytesMut::new();
            sample(key, highest).encode(&mut body, highest).unwrap();
            for end in 0..body.len() {
                assert_eq!(
                    check(key, highest, &body[..end]),
                    None,
                    "{key:?} cut at {end}"
                );
            }
        }
    }

    #[test]
    fn an_array_that_claims_more_than_the_request_holds_is_refused() {
        let two_billion_topics = [&i32::MAX.to_be_bytes()[..], &[0; 100]].concat();
        assert_eq!(check(ApiKey::Metadata, 1, &two_billion_topics), None);
        assert_eq!(
            check(
                ApiKey::Metadata,
                9,
                &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0]
            ),
            None
        );
    }
}
