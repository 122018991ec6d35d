//! Sets of stretches of time, each from its beginning to its end.
use model::Micros;

pub(crate) type Stretch = (Micros, Micros);

/// The same time without overlaps, in order.
pub(crate) fn union(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    joined(&mut stretches, Micros::ZERO)
}

/// The same, with pauses of at most `pause` between two stretches filled.
pub(crate) fn joined(stretches: &mut Vec<Stretch>, pause: Micros) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut found: Vec<Stretch> = vec![];
    for &mut (from, to) in stretches {
        match found.last_mut() {
            Some((_, until)) if from.saturating_sub(*until) <= pause && from <= *until + pause => {
                *until = (*until).max(to);
            }
            _ if from < to => found.push((from, to)),
            _ => {}
        }
    }
    found
}

/// What is in `all` and not in `without`; both without overlaps and in order.
pub(crate) fn minus(all: &[Stretch], without: &[Stretch]) -> Vec<Stretch> {
    let mut left = vec![];
    for &(start, to) in all {
        let mut from = start;
        for &(begin, end) in without.iter().filter(|(b, e)| *b < to && *e > start) {
            if begin > from {
                left.push((from, begin));
            }
            from = end.max(from);
        }
        if from < to {
            left.push((from, to));
        }
    }
    left
}

/// How long they are together; they must not overlap.
pub(crate) fn length(stretches: &[Stretch]) -> Micros {
    stretches.iter().map(|(from, to)| *to - *from).sum()
}

/// How much of both is the same time.
pub(crate) fn overlap(a: Stretch, b: Stretch) -> Micros {
    a.1.min(b.1).saturating_sub(a.0.max(b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stretches: &[(u64, u64)]) -> Vec<Stretch> {
        let of = |(a, b): &(u64, u64)| (Micros(*a), Micros(*b));
        stretches.iter().map(of).collect()
    }

    #[test]
    fn a_union_has_no_overlaps_and_short_pauses_can_be_filled() {
        assert_eq!(
            union(of(&[(5, 9), (1, 3), (2, 4), (7, 8), (6, 6)])),
            of(&[(1, 4), (5, 9)])
        );
        assert_eq!(
            joined(&mut of(&[(1, 3), (5, 6), (9, 12)]), Micros(2)),
            of(&[(1, 6), (9, 12)])
        );
    }

    #[test]
    fn what_is_taken_away_leaves_its_edges() {
        let all = of(&[(0, 10), (20, 30)]);
        let without = of(&[(2, 4), (8, 22), (29, 40)]);
        assert_eq!(minus(&all, &without), of(&[(0, 2), (4, 8), (22, 29)]));
        assert_eq!(length(&minus(&all, &without)), Micros(13));
    }

    #[test]
    fn an_overlap_is_the_time_that_both_have() {
        let [a, b, c] = of(&[(0, 10), (7, 20), (15, 16)])[..] else {
            panic!("three")
        };
        assert_eq!((overlap(a, b), overlap(a, c)), (Micros(3), Micros(0)));
    }
}
