//! What was documented elsewhere.
use super::{Form, Type, may, must};

pub static DOCUMENTED: Type = Type {
    name: "documented",
    about: "A recorded experiment that an arm replays.",
    fields: &[
        must(
            "id",
            Form::Text,
            "Its id in the catalogue of documented experiments.",
        ),
        must(
            "claim",
            Form::Text,
            "What was claimed or printed, in a sentence.",
        ),
        may(
            "step",
            Form::Text,
            "The step whose figures stand beside. Default: with siege figures the only load, else none.",
        ),
        may(
            "siege",
            Form::Object(&SIEGE),
            "The summary that was printed.",
        ),
        may("differs", Form::Text, "Why ours differ."),
    ],
};

pub static SIEGE: Type = Type {
    name: "siege",
    about: "The twelve lines of a siege summary; times in seconds, data in MB of 1048576 bytes.",
    fields: &[
        must("transactions", Form::Whole, "Transactions."),
        must("availability", Form::Number, "Availability, in per cent."),
        must("elapsed", Form::Number, "Elapsed time."),
        must("dataTransferred", Form::Number, "Data transferred."),
        must("responseTime", Form::Number, "Response time."),
        must("transactionRate", Form::Number, "Transaction rate."),
        must("throughput", Form::Number, "Throughput."),
        must("concurrency", Form::Number, "Concurrency."),
        must("successful", Form::Whole, "Successful transactions."),
        must("failed", Form::Whole, "Failed transactions."),
        must("longest", Form::Number, "Longest transaction."),
        must("shortest", Form::Number, "Shortest transaction."),
    ],
};
