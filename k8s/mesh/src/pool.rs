//! pool — connections of one side-car to one destination, requests that wait for one, and overflow.
//!
//! A connection carries one request at a time. Counts and limits are those of the whole side-car; connections belong to one of its
//! workers and one host, and so do waiting requests. Such a pool may always open its first connection, whatever the limit.
//! Nothing happens here: every method answers with what is to be done.

use std::collections::{BTreeMap, VecDeque};

use crate::policy::Limits;

/// A worker of the side-car and a host, both by number.
pub type Place = (usize, usize);
/// Names a connection.
pub type Connection = u64;
/// Names a request, from [`Pool::ask`] until [`Pool::finish`] or [`Pool::leave`].
pub type Request = u64;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make this connection to the host of its place; then say [`Pool::opened`] or [`Pool::failed`].
    Open(Connection, Place),
    /// The request is to be sent on the connection.
    Send(Request, Connection),
    /// Overflow: the request is to be answered by the side-car itself. It is forgotten here.
    Refuse(Request),
    /// Its connection could not be made. It is forgotten here.
    Fail(Request),
    /// The connection is to be closed. It is forgotten here.
    Close(Connection),
}

#[derive(Debug, Default)]
struct Queue {
    /// The newest last; the newest is used first.
    idle: Vec<Connection>,
    opening: Vec<Connection>,
    busy: usize,
    waiting: VecDeque<Request>,
}

impl Queue {
    fn is_without_connection(&self) -> bool {
        self.idle.is_empty() && self.opening.is_empty() && self.busy == 0
    }
}

#[derive(Debug)]
struct Used {
    place: Place,
    requests: u32,
}

/// The connections of one cluster in one side-car.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    queues: BTreeMap<Place, Queue>,
    connections: BTreeMap<Connection, Used>,
    /// Requests that have a connection, and which.
    active: BTreeMap<Request, Connection>,
    pending: u32,
    retries: u32,
    next: u64,
}

impl Pool {
    /// Without a connection.
    pub fn new(limits: Limits) -> Pool {
        Pool {
            limits,
            queues: BTreeMap::new(),
            connections: BTreeMap::new(),
            active: BTreeMap::new(),
            pending: 0,
            retries: 0,
            next: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A request for the host of `place`: sent at once on a connection that is idle, else it waits, if not too many do already.
    pub fn ask(&mut self, place: Place) -> (Request, Vec<Effect>) {
        let request = self.number();
        let queue = self.queues.entry(place).or_default();
        if let Some(connection) = queue.idle.pop() {
            queue.busy += 1;
            return (request, self.send(request, connection));
        }
        if self.pending >= self.limits.pending {
            return (request, vec![Effect::Refuse(request)]);
        }
        self.pending += 1;
        queue.waiting.push_back(request);
        (request, self.open(place).into_iter().collect())
    }

    /// A connection for whoever waits longest, if the limit allows it or the place has none at all.
    fn open(&mut self, place: Place) -> Option<Effect> {
        let open = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let queue = self.queues.get(&place)?;
        let is_needed = queue.waiting.len() > queue.opening.len();
        let is_allowed = open < self.limits.connections || queue.is_without_connection();
        if !(is_needed && is_allowed) {
            return None;
        }
        let connection = self.number();
        self.queues.get_mut(&place)?.opening.push(connection);
        self.connections
            .insert(connection, Used { place, requests: 0 });
        Some(Effect::Open(connection, place))
    }

    /// Gives a request a connection that is counted as busy; one too many is refused, and the connection is free again.
    fn send(&mut self, request: Request, connection: Connection) -> Vec<Effect> {
        let active = u32::try_from(self.active.len()).unwrap_or(u32::MAX);
        if active >= self.limits.requests {
            let mut effects = vec![Effect::Refuse(request)];
            effects.extend(self.free(connection));
            return effects;
        }
        self.active.insert(request, connection);
        if let Some(used) = self.connections.get_mut(&connection) {
            used.requests += 1;
        }
        vec![Effect::Send(request, connection)]
    }

    /// A busy connection has become free: the next one who waits gets it, else it is idle.
    fn free(&mut self, connection: Connection) -> Vec<Effect> {
        let Some(place) = self.connections.get(&connection).map(|used| used.place) else {
            return vec![];
        };
        let queue = self.queues.entry(place).or_default();
        match queue.waiting.pop_front() {
            Some(request) => {
                self.pending -= 1;
                self.send(request, connection)
            }
            None => {
                queue.busy -= 1;
                queue.idle.push(connection);
                vec![]
            }
        }
    }

    /// A connection is there.
    pub fn opened(&mut self, connection: Connection) -> Vec<Effect> {
        let Some(used) = self.connections.get(&connection) else {
            return vec![Effect::Close(connection)];
        };
        let queue = self.queues.entry(used.place).or_default();
        queue.opening.retain(|other| *other != connection);
        queue.busy += 1;
        self.free(connection)
    }

    /// A connection could not be made: all who wait at its place learn so.
    pub fn failed(&mut self, connection: Connection) -> Vec<Effect> {
        let Some(Used { place, .. }) = self.connections.remove(&connection) else {
            return vec![];
        };
        let queue = self.queues.entry(place).or_default();
        queue.opening.retain(|other| *other != connection);
        let failed: Vec<Request> = queue.waiting.drain(..).collect();
        self.pending -= u32::try_from(failed.len()).unwrap_or(0);
        failed.into_iter().map(Effect::Fail).collect()
    }

    /// A request that had a connection is over; `is_usable` says whether the connection can carry another.
    pub fn finish(&mut self, request: Request, is_usable: bool) -> Vec<Effect> {
        let Some(connection) = self.active.remove(&request) else {
            return vec![];
        };
        let requests = self
            .connections
            .get(&connection)
            .map_or(0, |used| used.requests);
        if is_usable && requests < self.limits.requests_per_connection {
            return self.free(connection);
        }
        let mut effects = vec![Effect::Close(connection)];
        effects.extend(self.forget(connection, |queue| queue.busy -= 1));
        effects
    }

    /// An idle connection has ended, or is to.
    pub fn ended(&mut self, connection: Connection) -> Vec<Effect> {
        let place = self.connections.get(&connection).map(|used| used.place);
        let is_idle = place
            .and_then(|place| self.queues.get(&place))
            .is_some_and(|queue| queue.idle.contains(&connection));
        if !is_idle {
            return vec![];
        }
        self.forget(connection, |queue| {
            queue.idle.retain(|other| *other != connection);
        })
    }

    fn forget(&mut self, connection: Connection, leave: impl FnOnce(&mut Queue)) -> Vec<Effect> {
        let Some(Used { place, .. }) = self.connections.remove(&connection) else {
            return vec![];
        };
        leave(self.queues.entry(place).or_default());
        self.open(place).into_iter().collect()
    }

    /// Whoever asked no longer wants it: a request that waits waits no more, one that was sent takes its connection along.
    pub fn leave(&mut self, request: Request) -> Vec<Effect> {
        for queue in self.queues.values_mut() {
            if let Some(at) = queue.waiting.iter().position(|other| *other == request) {
                queue.waiting.remove(at);
                self.pending -= 1;
                return vec![];
            }
        }
        self.finish(request, false)
    }

    /// One more request is about to be tried again; false if too many are.
    pub fn retry(&mut self) -> bool {
        let is_allowed = self.retries < self.limits.retries;
        self.retries += u32::from(is_allowed);
        is_allowed
    }

    /// It has been.
    pub fn retried(&mut self) {
        self.retries = self.retries.saturating_sub(1);
    }

    /// Requests with a connection to this host, over all workers, or waiting for one.
    pub fn load(&self, host: usize) -> usize {
        let queues = self.queues.iter().filter(|((_, of), _)| *of == host);
        queues
            .map(|(_, queue)| queue.busy + queue.waiting.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Effect::*;
    use super::*;

    const HERE: Place = (0, 0);

    fn pool(connections: u32, pending: u32, per_connection: u32) -> Pool {
        Pool::new(Limits {
            connections,
            pending,
            requests_per_connection: per_connection,
            ..Limits::default()
        })
    }

    const MANY: u32 = u32::MAX;

    /// A request that waits for a connection, which is made.
    fn served(pool: &mut Pool) -> Request {
        let (request, effects) = pool.ask(HERE);
        let [Open(connection, _)] = effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(pool.opened(connection), [Send(request, connection)]);
        request
    }

    #[test]
    fn ist_1_one_after_the_other_all_are_served() {
        for per_connection in [1, MANY] {
            let mut pool = pool(1, 1, per_connection);
            for _ in 0..50 {
                let (request, effects) = pool.ask(HERE);
                let sent = match effects[..] {
                    [Open(connection, HERE)] => pool.opened(connection),
                    _ => effects,
                };
                assert!(matches!(sent[..], [Send(of, _)] if of == request));
                pool.finish(request, true);
            }
        }
    }

    #[test]
    fn ist_2_the_second_waits_and_the_third_overflows() {
        let mut pool = pool(1, 1, MANY);
        let first = served(&mut pool);
        let (second, effects) = pool.ask(HERE);
        assert_eq!(effects, []);
        let (third, effects) = pool.ask(HERE);
        assert_eq!(effects, [Refuse(third)]);
        assert!(matches!(pool.finish(first, true)[..], [Send(of, _)] if of == second));
    }

    #[test]
    fn ist_2_two_in_set_up_at_the_same_time_are_one_too_many() {
        let mut pool = pool(1, 1, MANY);
        let (_, effects) = pool.ask(HERE);
        assert!(matches!(effects[..], [Open(..)]));
        let (second, effects) = pool.ask(HERE);
        assert_eq!(effects, [Refuse(second)]);
    }

    #[test]
    fn ist_3_each_worker_has_its_first_connection() {
        let mut pool = pool(1, 1, MANY);
        let accepted = (0..10).filter(|n| {
            let (_, effects) = pool.ask((n % 2, 0));
            match effects[..] {
                [Open(connection, _)] => matches!(pool.opened(connection)[..], [Send(..)]),
                [] => true,
                _ => false,
            }
        });
        // Two served and one waiting.
        assert_eq!(accepted.count(), 3);
    }

    #[test]
    fn ist_5_without_a_limit_of_waiting_all_wait() {
        let mut pool = pool(1, MANY, MANY);
        let mut current = served(&mut pool);
        let others: Vec<Request> = (0..19)
            .map(|_| {
                let (request, effects) = pool.ask(HERE);
                assert_eq!(effects, []);
                request
            })
            .collect();
        for next in others {
            assert!(matches!(pool.finish(current, true)[..], [Send(of, _)] if of == next));
            current = next;
        }
    }

    #[test]
    fn ist_6_a_limit_of_one_is_one_and_one_more_for_each_place_without() {
        let mut pool = pool(1, MANY, MANY);
        let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let asked = (0..40).map(|n| pool.ask(places[n % 4]).1);
        let opened: Vec<_> = asked.flatten().collect();
        assert_eq!(opened.len(), 4);
    }

    #[test]
    fn ist_7_with_a_limit_of_waiting_alone_only_the_set_up_counts() {
        let mut pool = pool(MANY, 1, 1);
        let slow: Vec<Request> = (0..20).map(|_| served(&mut pool)).collect();
        let (_, effects) = pool.ask(HERE);
        assert!(matches!(effects[..], [Open(..)]));
        let (unlucky, effects) = pool.ask(HERE);
        assert_eq!(effects, [Refuse(unlucky)]);
        assert_eq!(slow.len(), 20);
    }

    #[test]
    fn ist_8_a_connection_closes_after_its_requests_and_the_next_one_is_made() {
        let mut pool = pool(1, 1, 1);
        let first = served(&mut pool);
        let (second, _) = pool.ask(HERE);
        let effects = pool.finish(first, true);
        let [Close(old), Open(new, HERE)] = effects[..] else {
            panic!("{effects:?}")
        };
        assert_ne!(old, new);
        assert_eq!(pool.opened(new), [Send(second, new)]);
    }

    #[test]
    fn all_who_wait_where_a_connection_cannot_be_made_learn_so() {
        let mut pool = pool(1, MANY, MANY);
        let (first, effects) = pool.ask(HERE);
        let [Open(connection, _)] = effects[..] else {
            panic!("{effects:?}")
        };
        let (second, _) = pool.ask(HERE);
        assert_eq!(pool.failed(connection), [Fail(first), Fail(second)]);
        assert_eq!(pool.pending, 0);
        served(&mut pool);
    }

    #[test]
    fn who_leaves_makes_room() {
        let mut pool = pool(1, 1, MANY);
        let first = served(&mut pool);
        let (second, _) = pool.ask(HERE);
        assert_eq!(pool.leave(second), []);
        let (third, effects) = pool.ask(HERE);
        assert_eq!(effects, []);
        // A request that was sent cannot be called back: its connection goes, and who waits gets a new one.
        let effects = pool.leave(first);
        let [Close(_), Open(new, HERE)] = effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(pool.opened(new), [Send(third, new)]);
    }

    #[test]
    fn an_idle_connection_that_ends_is_forgotten_and_a_busy_one_is_not() {
        let mut pool = pool(1, 1, MANY);
        let request = served(&mut pool);
        let connection = pool.active[&request];
        assert_eq!(pool.ended(connection), []);
        assert_eq!(pool.connections.len(), 1);
        pool.finish(request, true);
        assert_eq!(pool.ended(connection), []);
        assert_eq!(pool.connections.len(), 0);
        assert_eq!(pool.opened(connection), [Close(connection)]);
    }

    #[test]
    fn requests_under_way_have_a_limit_of_their_own() {
        let mut pool = Pool::new(Limits {
            requests: 1,
            ..Limits::default()
        });
        served(&mut pool);
        let (second, effects) = pool.ask(HERE);
        let [Open(connection, _)] = effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(pool.opened(connection), [Refuse(second)]);
        let (third, effects) = pool.ask(HERE);
        assert_eq!(effects, [Refuse(third)]);
        assert_eq!(pool.load(0), 1);
    }

    #[test]
    fn requests_tried_again_have_a_limit_too() {
        let mut pool = Pool::new(Limits {
            retries: 1,
            ..Limits::default()
        });
        assert!(pool.retry());
        assert!(!pool.retry());
        pool.retried();
        assert!(pool.retry());
    }
}
