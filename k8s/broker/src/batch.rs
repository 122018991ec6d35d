//! batch — the header of a record batch (format v2), read without touching the records, which are kept as sent.

use crate::log::Refusal;
use bytes::Buf;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;
/// The largest batch that is taken: Kafka's `message.max.bytes`.
pub const BATCH_BYTES_MAX: usize = 1_048_588;
/// Bytes that the length field does not count: base offset and the length itself.
const BEFORE_LENGTH: u64 = 12;
/// The checksum covers everything from the attributes on, so the broker may set the base offset and leader epoch.
const CHECKED_FROM: usize = 21;
const COMPRESSION: i16 = 0b111;
const TRANSACTIONAL_OR_CONTROL: i16 = 0b11_0000;

/// What the header of a batch says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Size of the whole batch.
    pub bytes: u64,
    /// CRC-32C of everything after it.
    pub crc: u32,
    /// Compression, time stamp kind, transactional, control.
    pub attributes: i16,
    /// Offset of the last record, counted from the first.
    pub last_delta: i32,
    /// Milliseconds since 1970 of the first record.
    pub base_timestamp: i64,
    /// Milliseconds since 1970 of the youngest record.
    pub max_timestamp: i64,
    /// −1 when the producer is not idempotent.
    pub producer_id: i64,
    /// Later sessions of one producer have higher ones.
    pub producer_epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Number of records.
    pub records: i32,
}

impl Header {
    /// `None` unless these bytes begin with a header of format v2 that makes sense.
    pub fn parse(mut bytes: &[u8]) -> Option<Header> {
        if bytes.len() < HEADER_BYTES || bytes[16] != 2 {
            return None;
        }
        let base_offset = bytes.get_i64();
        let bytes_after_length = u64::try_from(bytes.get_i32()).ok()?;
        let _leader_epoch_and_magic = (bytes.get_i32(), bytes.get_i8());
        let header = Header {
            base_offset,
            bytes: BEFORE_LENGTH + bytes_after_length,
            crc: bytes.get_u32(),
            attributes: bytes.get_i16(),
            last_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            records: bytes.get_i32(),
        };
        (header.bytes >= HEADER_BYTES as u64 && header.last_delta >= 0).then_some(header)
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_delta)
    }

    /// Sequence number of the last record; numbers go round after 2³¹ − 1.
    pub fn last_sequence(&self) -> i32 {
        self.base_sequence.wrapping_add(self.last_delta) & i32::MAX
    }

    fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION != 0
    }
}

/// Does the checksum of this whole batch fit?
pub fn is_whole(header: &Header, batch: &[u8]) -> bool {
    batch.len() as u64 == header.bytes && crc32c::crc32c(&batch[CHECKED_FROM..]) == header.crc
}

/// What a producer sent must be exactly one whole batch (Kafka's rule for format v2), and not part of a transaction.
pub fn check(records: &[u8]) -> Result<Header, Refusal> {
    let header = Header::parse(records).ok_or(Refusal::Invalid)?;
    if records.len() as u64 > header.bytes {
        return Err(Refusal::Invalid);
    }
    if records.len() > BATCH_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    if !is_whole(&header, records) {
        return Err(Refusal::Corrupt);
    }
    let counted = header.records.checked_sub(1) == Some(header.last_delta);
    let plain = header.attributes & TRANSACTIONAL_OR_CONTROL == 0;
    if counted && plain {
        Ok(header)
    } else {
        Err(Refusal::Invalid)
    }
}

/// The batch as it is kept: at this offset, under the only leader epoch there is.
pub fn placed(records: &[u8], base_offset: i64) -> Vec<u8> {
    let mut batch = records.to_vec();
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&0_i32.to_be_bytes());
    batch
}

/// Offset and time of the first record at or after `timestamp`. The records of a compressed batch are not looked
/// at: its first one is given, as Kafka's older formats did.
pub fn first_since(batch: &[u8], timestamp: i64) -> Option<(i64, i64)> {
    let header = Header::parse(batch)?;
    if header.max_timestamp < timestamp {
        return None;
    }
    if header.base_timestamp >= timestamp || header.is_compressed() {
        return Some((header.base_offset, header.base_timestamp));
    }
    let mut rest = batch.get(HEADER_BYTES..)?;
    for _ in 0..header.records {
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let mut record = rest.get(..length)?;
        rest = &rest[length..];
        let _attributes = record.try_get_i8().ok()?;
        let time = header.base_timestamp + varint(&mut record)?;
        let offset = header.base_offset + varint(&mut record)?;
        if time >= timestamp {
            return Some((offset, time));
        }
    }
    None
}

fn varint(from: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = from.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A batch with one record for each value, its offsets and times counted from `base` on.
    pub fn batch(values: &[&str]) -> Vec<u8> {
        batch_of(-1, -1, -1, values)
    }

    /// The same from an idempotent producer.
    pub fn batch_of(producer: i64, epoch: i16, sequence: i32, values: &[&str]) -> Vec<u8> {
        let zigzag = |n: usize| (n as u8) << 1;
        let mut records = vec![];
        for (i, value) in values.iter().enumerate() {
            let mut record = vec![0, zigzag(i), zigzag(i), 1, zigzag(value.len())];
            record.extend(value.bytes());
            record.push(0);
            records.push(zigzag(record.len()));
            records.extend(record);
        }
        let last = values.len() as i32 - 1;
        let mut checked = vec![0, 0];
        checked.extend(last.to_be_bytes());
        checked.extend(1000_i64.to_be_bytes());
        checked.extend((1000 + i64::from(last)).to_be_bytes());
        checked.extend(producer.to_be_bytes());
        checked.extend(epoch.to_be_bytes());
        checked.extend(sequence.to_be_bytes());
        checked.extend((last + 1).to_be_bytes());
        checked.extend(records);
        let mut batch = 0_i64.to_be_bytes().to_vec();
        batch.extend((checked.len() as i32 + 9).to_be_bytes());
        batch.extend((-1_i32).to_be_bytes());
        batch.push(2);
        batch.extend(crc32c::crc32c(&checked).to_be_bytes());
        batch.extend(checked);
        batch
    }

    #[test]
    fn a_header_says_what_the_producer_wrote() {
        let header = check(&batch_of(7, 1, 40, &["a", "b", "c"])).unwrap();
        assert_eq!((header.producer_id, header.producer_epoch), (7, 1));
        assert_eq!((header.base_sequence, header.last_sequence()), (40, 42));
        assert_eq!((header.records, header.last_offset()), (3, 2));
    }

    #[test]
    fn sequence_numbers_go_round_after_the_largest() {
        let header = check(&batch_of(7, 1, i32::MAX, &["a", "b"])).unwrap();
        assert_eq!(header.last_sequence(), 0);
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_is_corrupt_and_two_batches_are_invalid() {
        let mut flipped = batch(&["hello"]);
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(check(&flipped), Err(Refusal::Corrupt)));
        let two = [batch(&["a"]), batch(&["b"])].concat();
        assert!(matches!(check(&two), Err(Refusal::Invalid)));
        assert!(matches!(check(&[]), Err(Refusal::Invalid)));
        let cut = &batch(&["hello"])[..70];
        assert!(matches!(check(cut), Err(Refusal::Corrupt)));
    }

    #[test]
    fn placing_a_batch_leaves_its_checksum_valid() {
        let placed = placed(&batch(&["a", "b"]), 500);
        let header = Header::parse(&placed).unwrap();
        assert_eq!((header.base_offset, header.last_offset()), (500, 501));
        assert!(is_whole(&header, &placed));
    }

    #[test]
    fn the_first_record_since_a_time_is_found_inside_a_batch() {
        let placed = placed(&batch(&["a", "b", "c"]), 10);
        assert_eq!(first_since(&placed, 0), Some((10, 1000)));
        assert_eq!(first_since(&placed, 1001), Some((11, 1001)));
        assert_eq!(first_since(&placed, 1002), Some((12, 1002)));
        assert_eq!(first_since(&placed, 1003), None);
    }
}
