//! Groups in virtual time: literals in, literals out.

mod joining;
mod leaving;
mod static_members;

use super::*;

const DELAY: Duration = Duration::from_secs(3);

fn s(seconds: u64) -> Time {
    Duration::from_secs(seconds)
}

/// Asks with running ticket numbers, and reads the answers by them.
struct Table {
    group: Group,
    tickets: u64,
    answers: BTreeMap<u64, Answer>,
}

impl Table {
    fn new(delay: Duration) -> Table {
        Table {
            group: Group::new(delay),
            tickets: 0,
            answers: BTreeMap::new(),
        }
    }

    fn ask(&mut self, at: Time, question: Question) -> u64 {
        self.tickets += 1;
        let effects = self
            .group
            .on(at, Event::Asked(Ticket(self.tickets), question));
        self.keep(effects);
        self.tickets
    }

    fn tick(&mut self, at: Time) {
        let effects = self.group.on(at, Event::Tick);
        self.keep(effects);
    }

    fn keep(&mut self, effects: Vec<Effect>) {
        for Effect { to, answer } in effects {
            assert_eq!(
                self.answers.insert(to.0, answer),
                None,
                "one answer to one question"
            );
        }
    }

    /// `ask`, for questions that are answered at once.
    fn say(&mut self, at: Time, question: Question) -> Answer {
        let ticket = self.ask(at, question);
        self.answers[&ticket].clone()
    }

    fn joined(&self, ticket: u64) -> Joined {
        match &self.answers[&ticket] {
            Ok(Reply::Joined(joined)) => joined.clone(),
            other => panic!("not joined: {other:?}"),
        }
    }

    fn state(&self) -> &'static str {
        self.group.describe().state
    }

    /// `a` and `b` in generation 1, `a` leads, each with its part.
    fn of_two() -> Table {
        let mut table = Table::new(DELAY);
        table.ask(s(0), join("a"));
        table.ask(s(1), join("b"));
        table.tick(s(3));
        table.tick(s(6));
        table.ask(s(6), sync("b", 1, &[]));
        table.ask(s(6), sync("a", 1, &["a", "b"]));
        assert_eq!(table.state(), "Stable");
        table
    }
}

fn wish(name: &str) -> Join {
    Join {
        who: Who::default(),
        fresh_name: name.to_string(),
        must_confirm: false,
        may_skip: false,
        client_id: "rdkafka".to_string(),
        client_host: "127.0.0.1".to_string(),
        session: s(10),
        rebalance: s(60),
        protocol_type: "consumer".to_string(),
        protocols: vec![Protocol {
            name: "range".to_string(),
            metadata: Bytes::from(format!("topics of {name}")),
        }],
    }
}

fn join(name: &str) -> Question {
    Question::Join(wish(name))
}

/// The same from a member that knows its name.
fn again(name: &str) -> Question {
    Question::Join(Join {
        who: who(name, 0),
        ..wish("unused")
    })
}

fn join_static(instance: &str, fresh_name: &str) -> Question {
    let who = Who {
        instance: Some(instance.to_string()),
        ..Who::default()
    };
    Question::Join(Join {
        who,
        ..wish(fresh_name)
    })
}

fn who(name: &str, generation: i32) -> Who {
    Who {
        member: name.to_string(),
        instance: None,
        generation,
    }
}

fn who_static(instance: &str, name: &str, generation: i32) -> Who {
    Who {
        instance: Some(instance.to_string()),
        ..who(name, generation)
    }
}

fn sync(name: &str, generation: i32, to: &[&str]) -> Question {
    let part = |name: &&str| (name.to_string(), Bytes::from(format!("part of {name}")));
    Question::Sync(who(name, generation), to.iter().map(part).collect())
}

fn heartbeat(name: &str, generation: i32) -> Question {
    Question::Heartbeat(who(name, generation))
}

fn part(name: &str) -> Answer {
    Ok(Reply::Assigned(Bytes::from(format!("part of {name}"))))
}
