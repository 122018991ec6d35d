//! producers — recognises what an idempotent producer sends again, and what is missing before it.

use crate::batch::Header;
use crate::log::Refusal;
use std::collections::{BTreeMap, VecDeque};

/// A producer may have five batches under way, so that many are remembered: Kafka's number.
const REMEMBERED: usize = 5;
/// Idempotent producers remembered for one partition; the oldest goes first.
const PRODUCERS_MAX: usize = 10_000;

/// The recent batches of every idempotent producer of one partition.
#[derive(Debug, Default)]
pub struct Producers(BTreeMap<i64, Producer>);

#[derive(Debug)]
struct Producer {
    epoch: i16,
    recent: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    first: i32,
    last: i32,
    base_offset: i64,
}

impl Producers {
    /// `Some(offset)` when this batch is already in the log there; an error when it must not be appended.
    /// The first batch of a producer that is not known here is taken as it comes, as Kafka does.
    pub fn seen(&self, batch: &Header) -> Result<Option<i64>, Refusal> {
        let Some(producer) = self.0.get(&batch.producer_id) else {
            return Ok(None);
        };
        if batch.producer_epoch < producer.epoch {
            return Err(Refusal::Fenced);
        }
        if batch.producer_epoch > producer.epoch {
            return if batch.base_sequence == 0 {
                Ok(None)
            } else {
                Err(Refusal::OutOfOrder)
            };
        }
        let range = (batch.base_sequence, batch.last_sequence());
        if let Some(sent) = producer
            .recent
            .iter()
            .find(|sent| (sent.first, sent.last) == range)
        {
            return Ok(Some(sent.base_offset));
        }
        let next = producer
            .recent
            .back()
            .map(|sent| sent.last.wrapping_add(1) & i32::MAX);
        if next.is_none_or(|next| next == batch.base_sequence) {
            Ok(None)
        } else {
            Err(Refusal::OutOfOrder)
        }
    }

    /// This batch is now in the log, beginning at `base_offset`.
    pub fn note(&mut self, batch: &Header, base_offset: i64) {
        if batch.producer_id < 0 {
            return;
        }
        let fresh = || Producer {
            epoch: batch.producer_epoch,
            recent: VecDeque::new(),
        };
        let producer = self.0.entry(batch.producer_id).or_insert_with(fresh);
        if producer.epoch != batch.producer_epoch {
            *producer = fresh();
        }
        if producer.recent.len() == REMEMBERED {
            producer.recent.pop_front();
        }
        producer.recent.push_back(Sent {
            first: batch.base_sequence,
            last: batch.last_sequence(),
            base_offset,
        });
        if self.0.len() > PRODUCERS_MAX {
            self.0.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{check, tests::batch_of};

    fn header(epoch: i16, sequence: i32) -> Header {
        check(&batch_of(7, epoch, sequence, &["x"])).unwrap()
    }

    fn after(batches: &[(i16, i32)]) -> Producers {
        let mut producers = Producers::default();
        for (offset, (epoch, sequence)) in batches.iter().enumerate() {
            producers.note(&header(*epoch, *sequence), offset as i64);
        }
        producers
    }

    #[test]
    fn a_repetition_is_answered_with_its_first_offset() {
        let producers = after(&[(0, 0), (0, 1), (0, 2)]);
        assert_eq!(producers.seen(&header(0, 1)).unwrap(), Some(1));
        assert_eq!(producers.seen(&header(0, 3)).unwrap(), None);
    }

    #[test]
    fn a_gap_is_out_of_order_and_so_is_what_is_long_forgotten() {
        let producers = after(&[(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
        assert!(matches!(
            producers.seen(&header(0, 7)),
            Err(Refusal::OutOfOrder)
        ));
        assert!(matches!(
            producers.seen(&header(0, 0)),
            Err(Refusal::OutOfOrder)
        ));
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        assert_eq!(after(&[(0, 0)]).seen(&header(1, 0)).unwrap(), None);
        assert!(matches!(
            after(&[(0, 0)]).seen(&header(1, 5)),
            Err(Refusal::OutOfOrder)
        ));
        assert!(matches!(
            after(&[(0, 0), (1, 0)]).seen(&header(0, 1)),
            Err(Refusal::Fenced)
        ));
    }

    #[test]
    fn an_unknown_producer_is_taken_as_it_comes() {
        assert_eq!(after(&[]).seen(&header(3, 99)).unwrap(), None);
    }
}
