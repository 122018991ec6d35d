//! hystrix — a call as Hystrix with Feign makes it: through a breaker, in a pool of ten, for as long as is allowed; else a fallback.
//!
//! The statements HYX-1 to HYX-17 are semantics.md 8. On with `FEIGN_HYSTRIX_ENABLED=true`, configured like the reports'
//! `application.yml`, in the way Spring reads its properties from an environment: a property in capitals with `_` for `.`. So
//! `hystrix.command.default.execution.isolation.thread.timeoutInMilliseconds` is
//! `HYSTRIX_COMMAND_DEFAULT_EXECUTION_ISOLATION_THREAD_TIMEOUTINMILLISECONDS`; with the callee's name instead of `DEFAULT` it is for
//! that callee only.
//!
//! A callee is one command and one pool. (Feign has a breaker for each method of a client; our services call one path of a callee.)

mod breaker;
mod settings;

pub use breaker::{Breaker, Generation, Outcome, Permit, Rule, Window};
pub use settings::Settings;

use super::Answer;
use super::ending::{Class, Ending};
use super::watch::Watch;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// One kind of call, guarded.
#[derive(Debug)]
pub(super) struct Command {
    timeout: Duration,
    slots: Arc<Semaphore>,
    breaker: Mutex<Breaker<Watch>>,
}

impl Command {
    pub fn new(settings: Settings, watch: Watch) -> Command {
        Command {
            timeout: settings.timeout,
            slots: Arc::new(Semaphore::new(settings.pool.get() as usize)),
            breaker: Mutex::new(Breaker::new(settings.rule, Instant::now(), watch)),
        }
    }

    /// [`Command::run`], carried through even if nobody waits for it any more: a trial without an outcome would keep the breaker open
    /// for good.
    pub async fn run_to_its_end(
        self: Arc<Self>,
        exchange: impl Future<Output = Ending> + Send + 'static,
    ) -> Ending {
        let running = tokio::spawn(async move { self.run(exchange).await });
        let ended = running.await;
        ended.unwrap_or_else(|why| Ending::unknown(Class::Broken, why.to_string()))
    }

    /// Makes the call unless the breaker is open or every slot is taken. A call that takes too long is given up by its caller only: it
    /// goes on, keeps its slot until it ends, and what comes of it is thrown away (HYX-8).
    async fn run(&self, exchange: impl Future<Output = Ending> + Send + 'static) -> Ending {
        let Some(permit) = self.breaker().permit(Instant::now()) else {
            return Ending::refused(Class::ShortCircuited, "circuit breaker is open");
        };
        let ending = match self.slots.clone().try_acquire_owned() {
            Err(_) => Ending::refused(Class::Rejected, "every slot of the pool is taken"),
            Ok(slot) => self.executed(slot, exchange).await,
        };
        let outcome = match ending.answer {
            Answer::Ok(_) => Outcome::Success,
            // Also a refusal by the callee: Feign throws at every status from 400 on (HYX-12).
            Answer::Refused(_) | Answer::Unknown(_) => Outcome::Error,
        };
        self.breaker().record(Instant::now(), permit, outcome);
        ending
    }

    async fn executed(
        &self,
        slot: OwnedSemaphorePermit,
        exchange: impl Future<Output = Ending> + Send + 'static,
    ) -> Ending {
        let working = tokio::spawn(async move {
            let ending = exchange.await;
            drop(slot);
            ending
        });
        match timeout(self.timeout, working).await {
            Ok(Ok(ending)) => ending,
            Ok(Err(why)) => Ending::unknown(Class::Broken, why.to_string()),
            Err(_) => Ending::timed_out(self.timeout),
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker<Watch>> {
        self.breaker
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Connections;
    use crate::env::Env;
    use futures::future::join_all;
    use http::StatusCode;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::sleep;

    /// The command of healthcenter's order in front of payment.
    fn command() -> Arc<Command> {
        let env = Env::from_iter([
            ("FEIGN_HYSTRIX_ENABLED", "true"),
            (
                "HYSTRIX_COMMAND_DEFAULT_EXECUTION_ISOLATION_THREAD_TIMEOUTINMILLISECONDS",
                "610",
            ),
        ]);
        let settings = Settings::of("payment", &env).unwrap();
        Arc::new(Command::new(
            settings,
            Watch {
                callee: "payment",
                state: Default::default(),
            },
        ))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    async fn callee(takes: Duration, status: StatusCode) -> Ending {
        sleep(takes).await;
        Ending::of_status(status, "".into())
    }

    async fn failing(command: &Arc<Command>, count: usize) {
        for _ in 0..count {
            let failed = callee(Duration::ZERO, StatusCode::INTERNAL_SERVER_ERROR);
            command.clone().run_to_its_end(failed).await;
        }
    }

    async fn is_open(command: &Arc<Command>) -> bool {
        sleep(ms(500)).await;
        let ending = command
            .clone()
            .run_to_its_end(callee(Duration::ZERO, StatusCode::OK));
        ending.await.class == Class::ShortCircuited
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_4_while_it_is_open_the_callee_sees_nothing() {
        let command = command();
        failing(&command, 20).await;
        assert!(is_open(&command).await);
        let seen = Arc::new(AtomicUsize::new(0));
        for _ in 0..48 {
            let seen = seen.clone();
            let began = Instant::now();
            let called = async move {
                seen.fetch_add(1, Ordering::Relaxed);
                callee(Duration::ZERO, StatusCode::OK).await
            };
            command.clone().run_to_its_end(called).await;
            assert_eq!(began.elapsed(), Duration::ZERO);
            sleep(ms(100)).await;
        }
        assert_eq!(seen.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_8_a_caller_is_answered_at_the_limit_and_the_callee_ends_its_work() {
        let done = Arc::new(AtomicUsize::new(0));
        let slow = {
            let done = done.clone();
            async move {
                let ending = callee(ms(1000), StatusCode::OK).await;
                done.fetch_add(1, Ordering::Relaxed);
                ending
            }
        };
        let began = Instant::now();
        let ending = command().run_to_its_end(slow).await;
        assert_eq!(ending.class, Class::TimedOut);
        assert_eq!(
            (began.elapsed(), done.load(Ordering::Relaxed)),
            (ms(610), 0)
        );
        sleep(ms(391)).await;
        assert_eq!(done.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_given_up_keeps_its_slot() {
        let command = command();
        let calls = (0..10).map(|_| {
            command
                .clone()
                .run_to_its_end(callee(ms(1000), StatusCode::OK))
        });
        join_all(calls).await;
        let next = || {
            command
                .clone()
                .run_to_its_end(callee(Duration::ZERO, StatusCode::OK))
        };
        assert_eq!(next().await.class, Class::Rejected);
        sleep(ms(391)).await;
        assert_eq!(next().await.class, Class::Status(2));
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_9_ten_milliseconds_below_the_limit_is_in_time() {
        let ending = command()
            .run_to_its_end(callee(ms(600), StatusCode::OK))
            .await;
        assert_eq!(ending.class, Class::Status(2));
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_10_the_eleventh_at_once_is_turned_away_at_once() {
        let command = command();
        let began = Instant::now();
        let calls = (0..11).map(|_| {
            let command = command.clone();
            async move {
                let ending = command
                    .run_to_its_end(callee(ms(500), StatusCode::OK))
                    .await;
                (ending.class, began.elapsed())
            }
        });
        let mut ended = join_all(calls).await;
        ended.sort_by_key(|(_, took)| *took);
        assert_eq!(ended[0], (Class::Rejected, Duration::ZERO));
        assert!(
            ended[1..]
                .iter()
                .all(|ended| *ended == (Class::Status(2), ms(500)))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_12_a_refusal_by_the_callee_is_a_failure() {
        let command = command();
        for _ in 0..20 {
            let refused = callee(Duration::ZERO, StatusCode::NOT_FOUND);
            command.clone().run_to_its_end(refused).await;
        }
        assert!(is_open(&command).await);
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_14_each_process_has_a_breaker_of_its_own() {
        let (one, other) = (command(), command());
        failing(&one, 20).await;
        assert_eq!((is_open(&one).await, is_open(&other).await), (true, false));
    }

    /// What users saw who asked again and again: how often each end came, and how long each request took.
    #[derive(Default)]
    struct Seen {
        classes: BTreeMap<&'static str, u32>,
        took: Vec<Duration>,
    }

    /// The callee takes 400 to 620 ms, as payment does, and `overhead`.
    async fn users(
        count: u64,
        run: Duration,
        connections: Connections,
        overhead: Duration,
    ) -> Seen {
        let (command, began) = (command(), Instant::now());
        let seen = Mutex::new(Seen::default());
        let asking = (0..count).map(|user| {
            let (command, connections, seen) = (&command, &connections, &seen);
            let mut dice = StdRng::seed_from_u64(user);
            async move {
                while began.elapsed() < run {
                    let asked = Instant::now();
                    let _connection = connections.hold().await.expect("nobody waits for long");
                    let takes = Duration::from_secs_f64(dice.random_range(0.4..0.62)) + overhead;
                    let answered = command
                        .clone()
                        .run_to_its_end(callee(takes, StatusCode::OK));
                    let class = match answered.await.class {
                        Class::Status(2) => "good",
                        Class::TimedOut => "late",
                        Class::Rejected => "rejected",
                        _ => "open",
                    };
                    let mut seen = seen.lock().unwrap();
                    *seen.classes.entry(class).or_default() += 1;
                    seen.took.push(asked.elapsed());
                }
            }
        });
        join_all(asking).await;
        seen.into_inner().unwrap()
    }

    fn unlimited() -> Connections {
        Connections::of(&Env::from_iter([("TRANSACTION_TIME", "4ms")]))
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_15_few_users_see_some_late_answers_and_many_open_it() {
        let few = users(5, Duration::from_secs(60), unlimited(), ms(1)).await;
        let share = f64::from(few.classes["late"]) / few.took.len() as f64;
        assert!((0.04..0.10).contains(&share), "{share}");
        assert_eq!(few.classes.keys().collect::<Vec<_>>(), [&"good", &"late"]);

        let many = users(50, Duration::from_secs(2), unlimited(), ms(1)).await;
        assert!(many.classes.contains_key("open"), "{:?}", many.classes);
    }

    #[tokio::test(start_paused = true)]
    async fn hyx_17_behind_ten_connections_a_hundred_users_never_open_it() {
        let ten = Env::from_iter([
            ("SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE", "10"),
            ("TRANSACTION_TIME", "4ms"),
        ]);
        let seen = users(100, Duration::from_secs(60), Connections::of(&ten), ms(1)).await;
        assert!(!seen.classes.contains_key("open"), "{:?}", seen.classes);
        let requests = seen.took.len() as f64;
        let rate = requests / 60.0;
        let available = f64::from(seen.classes["good"]) / requests;
        let mean = seen.took.iter().sum::<Duration>().as_secs_f64() / requests;
        assert!((18.0..24.0).contains(&rate), "{rate}/s");
        assert!((0.75..0.93).contains(&available), "{available}");
        assert!((4.0..5.5).contains(&mean), "{mean} s");
    }
}
