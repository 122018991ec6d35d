//! settings — Hystrix's properties, as Spring reads them from an environment.

use super::{Generation, Rule};
use crate::env::{Env, Setting};
use std::num::NonZeroU32;
use std::time::Duration;

/// The limits of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When its breaker opens.
    pub rule: Rule,
    /// `execution.isolation.thread.timeoutInMilliseconds`: the caller waits no longer.
    pub timeout: Duration,
    /// `hystrix.threadpool.….coreSize`: calls on their way at the same time. There is no queue.
    pub pool: NonZeroU32,
}

impl Default for Settings {
    /// Hystrix's defaults (semantics.md 8.1).
    fn default() -> Settings {
        Settings {
            rule: Rule::default(),
            timeout: Duration::from_secs(1),
            pool: NonZeroU32::MIN.saturating_add(9),
        }
    }
}

impl Settings {
    /// What the environment says for a callee, if it wants Hystrix at all.
    pub fn of(callee: &str, env: &Env) -> Option<Settings> {
        let is_wanted = env.or("FEIGN_HYSTRIX_ENABLED", false);
        let of_command = Properties::of("COMMAND", callee, env);
        let of_pool = Properties::of("THREADPOOL", callee, env);
        let ms = |property, default: Duration| {
            let set: Option<NonZeroU32> = of_command.get(property);
            set.map_or(default, |ms| Duration::from_millis(ms.get().into()))
        };
        let default = Settings::default();
        let rule = Rule {
            window: ms(
                "METRICS_ROLLINGSTATS_TIMEINMILLISECONDS",
                default.rule.window,
            ),
            bucket: ms(
                "METRICS_HEALTHSNAPSHOT_INTERVALINMILLISECONDS",
                default.rule.bucket,
            ),
            volume: of_command
                .get("CIRCUITBREAKER_REQUESTVOLUMETHRESHOLD")
                .unwrap_or(default.rule.volume),
            error_percentage: of_command
                .get("CIRCUITBREAKER_ERRORTHRESHOLDPERCENTAGE")
                .unwrap_or(default.rule.error_percentage),
            sleep: ms(
                "CIRCUITBREAKER_SLEEPWINDOWINMILLISECONDS",
                default.rule.sleep,
            ),
            generation: env.or("HYSTRIX_VERSION", default.rule.generation),
        };
        let settings = Settings {
            rule,
            timeout: ms(
                "EXECUTION_ISOLATION_THREAD_TIMEOUTINMILLISECONDS",
                default.timeout,
            ),
            pool: of_pool.get("CORESIZE").unwrap_or(default.pool),
        };
        is_wanted.then_some(settings)
    }
}

/// The properties of a callee's command or pool; those without one of its own are `DEFAULT`'s.
struct Properties<'a> {
    own: String,
    default: String,
    env: &'a Env,
}

impl Properties<'_> {
    fn of<'a>(kind: &str, callee: &str, env: &'a Env) -> Properties<'a> {
        let callee = callee.to_ascii_uppercase().replace('-', "_");
        Properties {
            own: format!("HYSTRIX_{kind}_{callee}_"),
            default: format!("HYSTRIX_{kind}_DEFAULT_"),
            env,
        }
    }

    fn get<T: Setting>(&self, property: &str) -> Option<T> {
        let own = self.env.get(&format!("{}{property}", self.own));
        own.or_else(|| self.env.get(&format!("{}{property}", self.default)))
    }
}

impl Setting for Generation {
    const WAY_OUT: &'static str = "not a Hystrix that is known; write `1.5.18` or `1.5.12`";

    fn read(text: &str) -> Option<Generation> {
        match text {
            "1.5.18" => Some(Generation::V1_5_18),
            "1.5.12" => Some(Generation::V1_5_12),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_configured_like_the_application_yml() {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = Env::from_iter([
            set("FEIGN_HYSTRIX_ENABLED", "true"),
            set(
                "HYSTRIX_COMMAND_DEFAULT_EXECUTION_ISOLATION_THREAD_TIMEOUTINMILLISECONDS",
                "610",
            ),
            set(
                "HYSTRIX_COMMAND_PAYMENT_CIRCUITBREAKER_REQUESTVOLUMETHRESHOLD",
                "5",
            ),
            set("HYSTRIX_THREADPOOL_DEFAULT_CORESIZE", "3"),
            set("HYSTRIX_VERSION", "1.5.12"),
        ]);
        let of = |callee| Settings::of(callee, &env).unwrap();
        let other = of("room");
        assert_eq!(
            (other.timeout, other.pool.get(), other.rule.volume),
            (Duration::from_millis(610), 3, 20)
        );
        assert_eq!(other.rule.generation, Generation::V1_5_12);
        assert_eq!(
            of("payment").rule,
            Rule {
                volume: 5,
                ..other.rule
            }
        );
        assert_eq!(Settings::of("payment", &Env::default()), None);
    }
}
