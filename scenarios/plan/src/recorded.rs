//! Whether a printed siege summary can be one: its twelve lines say the same things several times over.
use model::SiegeSummary;

/// Half of the last digit that siege prints.
const HALF_DIGIT: f64 = 0.005;

/// siege counts a transaction as successful before it counts it at all, and at its end it gives up its users in between: siege runs at
/// most so many users unless it is configured otherwise.
const USERS_MAX: u64 = 255;

/// What cannot be, with the line it is put down at. Only the first, because the others often follow from it.
pub fn objection(s: &SiegeSummary) -> Option<(&'static str, String)> {
    let hits = s.transactions as f64;
    below_zero(s)
        .or_else(|| share(s))
        .or_else(|| nothing_in_no_time(s))
        .or_else(|| rates(s, hits))
        .or_else(|| longest(s))
        .or_else(|| {
            (s.successful > s.transactions.saturating_add(USERS_MAX)).then(|| {
                let message = format!(
                    "{} of {} transactions succeeded",
                    s.successful, s.transactions
                );
                ("successful", message)
            })
        })
}

fn below_zero(s: &SiegeSummary) -> Option<(&'static str, String)> {
    let figures = [
        ("availability", s.availability),
        ("elapsed", s.elapsed),
        ("dataTransferred", s.data_transferred),
        ("responseTime", s.response_time),
        ("transactionRate", s.transaction_rate),
        ("throughput", s.throughput),
        ("concurrency", s.concurrency),
        ("longest", s.longest),
        ("shortest", s.shortest),
    ];
    let bad = figures
        .into_iter()
        .find(|(_, n)| !n.is_finite() || *n < 0.0);
    bad.map(|(name, n)| (name, format!("{n} is less than nothing")))
}

/// Availability is transactions over transactions and failures.
fn share(s: &SiegeSummary) -> Option<(&'static str, String)> {
    if s.availability > 100.0 {
        return Some((
            "availability",
            format!("{} % is more than all", s.availability),
        ));
    }
    let all = s.transactions as f64 + s.failed as f64;
    let share = match s.transactions {
        0 => 0.0,
        hits => 100.0 * hits as f64 / all,
    };
    let message = || {
        let (printed, hits, failed) = (s.availability, s.transactions, s.failed);
        format!(
            "{hits} transactions and {failed} failed ones make {share:.2} %, not {printed:.2} %"
        )
    };
    // Some print it cut off, not rounded.
    ((share - s.availability).abs() > 2.0 * HALF_DIGIT + 1e-9).then(|| ("availability", message()))
}

fn nothing_in_no_time(s: &SiegeSummary) -> Option<(&'static str, String)> {
    let message = format!("{} transactions took no time", s.transactions);
    (s.transactions > 0 && s.elapsed == 0.0).then_some(("elapsed", message))
}

/// What is printed per second is what is printed in full, over the elapsed time.
fn rates(s: &SiegeSummary, hits: f64) -> Option<(&'static str, String)> {
    if s.elapsed == 0.0 {
        return None;
    }
    let summed = s.response_time * hits;
    let all = [
        ("transactionRate", s.transaction_rate, hits, 0.0),
        ("throughput", s.throughput, s.data_transferred, HALF_DIGIT),
        ("concurrency", s.concurrency, summed, HALF_DIGIT * hits),
    ];
    all.into_iter().find_map(|(name, printed, total, rounded)| {
        let rate = total / s.elapsed;
        // Of the total, of the elapsed time, and of the rate itself; twice, where digits were cut off.
        let blur = (rounded + rate * HALF_DIGIT) / s.elapsed + HALF_DIGIT;
        let message = format!("in {} s this makes {rate:.2}, not {printed:.2}", s.elapsed);
        ((rate - printed).abs() > 2.0 * blur).then_some((name, message))
    })
}

fn longest(s: &SiegeSummary) -> Option<(&'static str, String)> {
    if s.longest < s.shortest {
        let message = format!(
            "the longest took {} s and the shortest {} s",
            s.longest, s.shortest
        );
        return Some(("longest", message));
    }
    // Failures have their time in the mean and are not among its transactions.
    let is_mean = s.failed == 0 && s.transactions > 0;
    let message = format!(
        "a mean of {} s, and the longest took {} s",
        s.response_time, s.longest
    );
    (is_mean && s.response_time > s.longest + 2.0 * HALF_DIGIT).then_some(("responseTime", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the report of mybnb printed it.
    fn printed() -> SiegeSummary {
        SiegeSummary {
            transactions: 4700,
            availability: 82.11,
            elapsed: 31.22,
            data_transferred: 3.39,
            response_time: 0.01,
            transaction_rate: 150.54,
            throughput: 0.11,
            concurrency: 0.96,
            successful: 4700,
            failed: 1024,
            longest: 0.08,
            shortest: 0.0,
        }
    }

    #[test]
    fn a_summary_that_siege_printed_can_be() {
        assert_eq!(objection(&printed()), None);
        assert_eq!(objection(&SiegeSummary::default()), None);
    }

    #[test]
    fn a_summary_that_contradicts_itself_cannot_be() {
        type Change = fn(&mut SiegeSummary);
        let wrong: [(Change, &str); 10] = [
            (|s| s.availability = 120.0, "120 % is more than all"),
            (
                |s| s.availability = 99.0,
                "4700 transactions and 1024 failed ones make 82.11 %, not 99.00 %",
            ),
            (
                |s| s.failed = 0,
                "4700 transactions and 0 failed ones make 100.00 %, not 82.11 %",
            ),
            (|s| s.elapsed = 0.0, "4700 transactions took no time"),
            (|s| s.elapsed = -1.0, "-1 is less than nothing"),
            (
                |s| s.transaction_rate = 15.0,
                "in 31.22 s this makes 150.54, not 15.00",
            ),
            (
                |s| s.throughput = 3.0,
                "in 31.22 s this makes 0.11, not 3.00",
            ),
            (
                |s| s.concurrency = 9.0,
                "in 31.22 s this makes 1.51, not 9.00",
            ),
            (
                |s| s.shortest = 0.5,
                "the longest took 0.08 s and the shortest 0.5 s",
            ),
            (
                |s| s.successful = 9000,
                "9000 of 4700 transactions succeeded",
            ),
        ];
        for (change, why) in wrong {
            let mut summary = printed();
            change(&mut summary);
            assert_eq!(
                objection(&summary).map(|(_, why)| why).as_deref(),
                Some(why)
            );
        }
    }
}
