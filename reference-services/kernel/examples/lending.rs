//! lending — a library: books on a shelf, loans at a desk, and a card that shows a reader's loans. The worked example of
//! `reference-services/README.md`: `cargo run -p kernel --example lending`, or with `desk` for one service of it.

use kernel::{Asked, Call, Collection, Effect, Method, Service, System};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The services, the gateway first.
pub const SYSTEM: System = System {
    name: "lending",
    members: &[
        ("gateway", 8080, |_| gateway()),
        ("shelf", 8081, |_| shelf()),
        ("desk", 8082, |_| desk()),
        ("card", 8083, |_| card()),
    ],
};

/// What happens. Each event says all that those who hear of it need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "eventType")]
enum Happened {
    Lent(Loan),
    Returned(Loan),
    /// A loan was begun and did not come about: whoever had done something for it takes it back.
    LoanFailed(Loan),
    #[serde(other)]
    SomethingElse,
}

/// Who has which book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Loan {
    loan_id: i64,
    book_id: i64,
    reader: String,
    status: String,
}

/// A book, and the loan that has it: 0 when it is on the shelf.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Book {
    title: String,
    holder: i64,
}

fn gateway() -> Service {
    Service::new("gateway")
        .route("/books", "shelf")
        .route("/loans", "desk")
        .route("/cards", "card")
        .cors()
}

/// Keeps books. A book goes to one loan, however many ask at once.
fn shelf() -> Service {
    Service::new("shelf")
        .collection(Collection::<Book>::new("books", "book"))
        .operation(Method::POST, "/books/{id}/take", take)
        .on_event(|event| match event {
            Happened::Returned(loan) | Happened::LoanFailed(loan) => put_back(loan),
            _ => vec![],
        })
}

fn take(asked: &Asked) -> Vec<Effect> {
    let (id, loan) = match (asked.number("id"), asked.resource::<Loan>()) {
        (Ok(id), Ok(loan)) => (id, loan.loan_id),
        (Err(refusal), _) | (_, Err(refusal)) => return vec![refusal.into()],
    };
    // What is looked at stays true until what follows is stored: they are one transaction.
    vec![Effect::look("books", "id", id, move |books| {
        match books.first().map(|book| book.typed::<Book>().holder) {
            Some(0) => vec![
                Effect::change("books", "id", id, json!({"holder": loan})),
                Effect::reply(&true),
            ],
            Some(_) => vec![Effect::reply(&false)],
            None => vec![Effect::refuse(404, "there is no such book")],
        }
    })]
}

/// The book may never have been taken for this loan, or have gone to another since.
fn put_back(loan: &Loan) -> Vec<Effect> {
    let (book, loan) = (loan.book_id, loan.loan_id);
    vec![Effect::look("books", "id", book, move |books| {
        let is_ours = books.iter().any(|row| row.typed::<Book>().holder == loan);
        let back = Effect::change("books", "id", book, json!({"holder": 0}));
        is_ours.then_some(back).into_iter().collect()
    })]
}

/// Lends books: asks the shelf first, and stores nothing if the book is not there.
fn desk() -> Service {
    let loans = Collection::new("loans", "loan")
        .completing(lent)
        .on_create(lend)
        .on_update(bring_back);
    Service::new("desk").calls("shelf").collection(loans)
}

fn lent(loan: Loan) -> Loan {
    let status = "lent".to_owned();
    Loan { status, ..loan }
}

fn lend(id: i64, loan: &Loan) -> Vec<Effect> {
    let loan = loan.clone().numbered(id);
    let path = format!("/books/{}/take", loan.book_id);
    vec![
        Effect::undo(loan.book_id, &Happened::LoanFailed(loan.clone())),
        Effect::ask(
            Call::post("shelf", path, &loan),
            move |answer| match answer {
                Value::Bool(true) => vec![
                    Effect::change("loans", "id", id, json!({"loanId": id})),
                    Effect::publish(loan.book_id, &Happened::Lent(loan.clone())),
                ],
                _ => vec![Effect::refuse(409, "the book is not on the shelf")],
            },
        ),
    ]
}

fn bring_back(id: i64, was: &Loan, is: &Loan) -> Vec<Effect> {
    if (&*was.status, &*is.status) != ("lent", "returned") {
        return vec![];
    }
    let loan = is.clone().numbered(id);
    vec![Effect::publish(loan.book_id, &Happened::Returned(loan))]
}

impl Loan {
    fn numbered(self, loan_id: i64) -> Loan {
        Loan { loan_id, ..self }
    }
}

/// Shows a reader's loans. It asks nobody, so it is there when the others are not.
fn card() -> Service {
    Service::new("card")
        .collection(Collection::<Loan>::new("cards", "card").index("loanId"))
        .on_event(|event| match event {
            Happened::Lent(loan) => noted(loan, "lent"),
            Happened::Returned(loan) => noted(loan, "returned"),
            _ => vec![],
        })
}

fn noted(loan: &Loan, status: &str) -> Vec<Effect> {
    let set = json!({"bookId": loan.book_id, "reader": loan.reader, "status": status});
    vec![Effect::upsert("cards", "loanId", loan.loan_id, set)]
}

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(service) => SYSTEM.run(&service),
        None => SYSTEM.run_all(&std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| "none".into())),
    }
}
