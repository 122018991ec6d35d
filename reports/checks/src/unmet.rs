//! Answers that were not as their load expects, in words.
use crate::{count, offset, sample::Sample};
use model::Micros;

/// So many ways not to be as expected are named.
const NAMED_MAX: usize = 3;

/// What was wrong with answers that were not as the load expects, the first ones of each kind.
pub(crate) fn lines(sample: &Sample) -> Vec<String> {
    let mut told: Vec<(Micros, &str)> = vec![];
    for (_, r) in &sample.requests {
        if let Some(what) = r.unmet.as_deref()
            && told.len() < NAMED_MAX
            && told.iter().all(|(_, before)| *before != what)
        {
            told.push((r.done, what));
        }
    }
    let line = |(at, what)| format!("{} not as expected: {what}", offset(at));
    told.into_iter().map(line).collect()
}

/// `; 20 answers were not as expected, the first: $.price is 0, expected 10`
pub(crate) fn clause(sample: &Sample) -> String {
    let mut unmet = sample
        .requests
        .iter()
        .filter_map(|(_, r)| r.unmet.as_deref());
    match unmet.next() {
        None => String::new(),
        Some(first) => {
            let n = count(1 + unmet.count() as u64, "answer");
            format!("; {n} not as expected, the first: {first}")
        }
    }
}
