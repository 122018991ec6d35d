//! outlier — hosts that fail several times in a row are left out for a while; each client's side-car decides for itself.
//!
//! Time is counted from the creation of the detector. Hosts come back on ticks of the interval only.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::policy::Outlier;
use crate::profile::Profile;

/// From Envoy's max_ejection_time.
const EJECTION_MAX: Duration = Duration::from_secs(300);

/// What came of a request, as the detector counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An answer with this status.
    Status(u16),
    /// No connection, or one that broke: counts as 503.
    Reset,
    /// No answer in time: counts as 504.
    Timeout,
}

impl Seen {
    fn status(self) -> u16 {
        match self {
            Seen::Status(status) => status,
            Seen::Reset => 503,
            Seen::Timeout => 504,
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Host {
    five_xx: u32,
    gateway: u32,
    ejected_at: Option<Duration>,
    /// How many base times the next, or the present, ejection lasts.
    times: u32,
}

/// The detector of one cluster in one side-car. `H` names a host.
#[derive(Debug)]
pub struct Detector<H> {
    settings: Outlier,
    profile: Profile,
    hosts: BTreeMap<H, Host>,
    next_tick: Duration,
}

impl<H: Ord + Clone> Detector<H> {
    /// Nobody is out.
    pub fn new(settings: Outlier, profile: Profile) -> Detector<H> {
        Detector {
            next_tick: settings.interval,
            settings,
            profile,
            hosts: BTreeMap::new(),
        }
    }

    /// From now on these are the hosts; what is known of those that stay is kept.
    pub fn set_hosts(&mut self, hosts: &[H]) {
        self.hosts.retain(|host, _| hosts.contains(host));
        for host in hosts {
            self.hosts.entry(host.clone()).or_default();
        }
    }

    /// Notes what came of a request to `host`. True: it is left out from now on.
    pub fn see(&mut self, host: &H, seen: Seen, now: Duration) -> bool {
        let (out, all) = (self.ejected(), self.hosts.len());
        let Some(state) = self.hosts.get_mut(host) else {
            return false;
        };
        match seen.status() {
            502..=504 => {
                state.five_xx += 1;
                state.gateway += 1;
            }
            500..=599 => {
                state.five_xx += 1;
                state.gateway = 0;
            }
            _ => (state.five_xx, state.gateway) = (0, 0),
        }
        let reached =
            |count: u32, threshold: Option<u32>| threshold.is_some_and(|least| count >= least);
        let is_due = reached(state.five_xx, self.settings.five_xx)
            || reached(state.gateway, self.settings.gateway);
        let may = self.profile.may_eject(out, all, self.settings.max_percent);
        if !is_due || state.ejected_at.is_some() || !may {
            return false;
        }
        state.ejected_at = Some(now);
        state.times += 1;
        true
    }

    /// Performs the ticks that are due; the hosts that are back.
    pub fn tick(&mut self, now: Duration) -> Vec<H> {
        let mut back = vec![];
        while self.next_tick <= now {
            let at = self.next_tick;
            self.next_tick += self.settings.interval;
            for (name, host) in &mut self.hosts {
                match host.ejected_at {
                    Some(since) if at >= since + lasting(&self.settings, self.profile, host) => {
                        *host = Host {
                            times: host.times,
                            ..Host::default()
                        };
                        back.push(name.clone());
                    }
                    None if self.profile.limits_ejection_time() => {
                        host.times = host.times.saturating_sub(1);
                    }
                    _ => {}
                }
            }
        }
        back
    }

    /// Whether the host is left out.
    pub fn is_ejected(&self, host: &H) -> bool {
        self.hosts
            .get(host)
            .is_some_and(|host| host.ejected_at.is_some())
    }

    /// How many are left out.
    pub fn ejected(&self) -> usize {
        let out = self.hosts.values().filter(|host| host.ejected_at.is_some());
        out.count()
    }

    /// Whether so few are left that nobody is left out any more.
    pub fn panics(&self) -> bool {
        let left = self.hosts.len() - self.ejected();
        left * 100 < self.hosts.len() * self.settings.panic_percent as usize
    }
}

fn lasting(settings: &Outlier, profile: Profile, host: &Host) -> Duration {
    let time = settings.base * host.times;
    if profile.limits_ejection_time() {
        time.min(EJECTION_MAX.max(settings.base))
    } else {
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(five_xx: Option<u32>, gateway: Option<u32>) -> Outlier {
        Outlier {
            five_xx,
            gateway,
            interval: Duration::from_secs(1),
            base: Duration::from_secs(10),
            max_percent: 100,
            panic_percent: 0,
        }
    }

    fn detector(settings: Outlier, hosts: &[char], release: &str) -> Detector<char> {
        let mut detector = Detector::new(settings, release.parse().unwrap());
        detector.set_hosts(hosts);
        detector
    }

    /// After which of these answers the host was left out; counted from 1.
    fn ejected_after(mut detector: Detector<char>, statuses: &[u16]) -> Option<usize> {
        let seen = |status: &u16| detector.see(&'a', Seen::Status(*status), Duration::ZERO);
        statuses.iter().position(seen).map(|at| at + 1)
    }

    #[test]
    fn ist_12_and_13_the_threshold_counts_its_own_kind_of_errors() {
        let gateway_only = || detector(settings(None, Some(3)), &['a'], "1.4");
        assert_eq!(ejected_after(gateway_only(), &[500; 9]), None);
        assert_eq!(ejected_after(gateway_only(), &[503; 9]), Some(3));
        let five = detector(settings(Some(5), None), &['a'], "1.7");
        assert_eq!(ejected_after(five, &[500; 9]), Some(5));
    }

    #[test]
    fn ist_14_a_good_answer_begins_the_count_anew() {
        let three = || detector(settings(Some(3), None), &['a'], "1.7");
        assert_eq!(
            ejected_after(three(), &[500, 500, 200, 500, 500, 200]),
            None
        );
        assert_eq!(ejected_after(three(), &[500, 500, 500]), Some(3));
        assert_eq!(ejected_after(three(), &[200, 404, 502, 599, 501]), Some(5));
    }

    #[test]
    fn ist_15_a_500_begins_the_count_of_gateway_errors_anew() {
        let three = detector(settings(None, Some(3)), &['a'], "1.7");
        assert_eq!(ejected_after(three, &[503, 503, 500, 503, 503]), None);
    }

    #[test]
    fn what_the_side_car_itself_saw_counts_as_a_gateway_error() {
        let mut two = detector(settings(None, Some(2)), &['a'], "1.7");
        assert!(!two.see(&'a', Seen::Reset, Duration::ZERO));
        assert!(two.see(&'a', Seen::Timeout, Duration::ZERO));
    }

    /// How long ejections last that each follow the one before at once; the first at `at` milliseconds.
    fn lasts(mut detector: Detector<char>, at: u64, count: usize) -> Vec<u64> {
        let mut now = Duration::from_millis(at);
        detector.tick(now);
        let mut lasted = vec![];
        while lasted.len() < count {
            assert!(detector.see(&'a', Seen::Status(503), now));
            let began = now;
            while detector.tick(now).is_empty() {
                now += Duration::from_millis(50);
            }
            lasted.push((now - began).as_secs());
        }
        lasted
    }

    #[test]
    fn ist_16_each_ejection_lasts_longer_than_the_one_before() {
        let one = settings(Some(1), None);
        assert_eq!(lasts(detector(one, &['a'], "1.7"), 2500, 3), [10, 20, 30]);
    }

    #[test]
    fn ist_17_an_ejection_ends_on_a_tick() {
        let slow = Outlier {
            interval: Duration::from_secs(10),
            base: Duration::from_secs(5),
            ..settings(Some(1), None)
        };
        for (at, lasted) in [(11_000, 9), (14_000, 6), (16_000, 14)] {
            assert_eq!(
                lasts(detector(slow.clone(), &['a'], "1.7"), at, 1),
                [lasted]
            );
        }
    }

    #[test]
    fn later_releases_limit_the_time_and_forgive() {
        let long = Outlier {
            base: Duration::from_secs(200),
            ..settings(Some(1), None)
        };
        assert_eq!(
            lasts(detector(long.clone(), &['a'], "1.7"), 0, 2),
            [200, 400]
        );
        assert_eq!(lasts(detector(long, &['a'], "1.9"), 0, 2), [200, 300]);
        let mut forgiving = detector(settings(Some(1), None), &['a'], "1.9");
        let second = |seconds| Duration::from_secs(seconds);
        forgiving.see(&'a', Seen::Status(503), second(0));
        assert_eq!(forgiving.tick(second(10)), ['a']);
        // One quiet interval takes the first ejection off the record, so the second lasts as long as the first.
        forgiving.tick(second(11));
        forgiving.see(&'a', Seen::Status(503), second(11));
        assert_eq!(forgiving.tick(second(21)), ['a']);
    }

    #[test]
    fn ist_18_the_only_host_at_ten_percent_was_left_out_until_1_20() {
        let ten = || Outlier {
            max_percent: 10,
            ..settings(Some(1), None)
        };
        let out = |release| {
            let mut one = detector(ten(), &['a'], release);
            one.see(&'a', Seen::Status(503), Duration::ZERO)
        };
        assert_eq!(
            ["1.4", "1.7", "1.20", "1.27"].map(out),
            [true, true, false, false]
        );
    }

    #[test]
    fn ist_19_of_two_hosts_at_fifty_percent_one_is_left_out() {
        let half = Outlier {
            max_percent: 50,
            ..settings(Some(1), None)
        };
        let mut two = detector(half, &['a', 'b'], "1.27");
        assert!(two.see(&'a', Seen::Status(503), Duration::ZERO));
        assert!(!two.see(&'b', Seen::Status(503), Duration::ZERO));
        assert!(two.is_ejected(&'a') && !two.is_ejected(&'b'));
    }

    #[test]
    fn panic_is_when_fewer_are_left_than_wanted() {
        let careful = Outlier {
            panic_percent: 50,
            ..settings(Some(1), None)
        };
        let mut two = detector(careful, &['a', 'b'], "1.27");
        two.see(&'a', Seen::Reset, Duration::ZERO);
        assert!(!two.panics());
        two.see(&'b', Seen::Reset, Duration::ZERO);
        assert!(two.panics());
        let mut calm = detector(settings(Some(1), None), &['a'], "1.27");
        calm.see(&'a', Seen::Reset, Duration::ZERO);
        assert!(!calm.panics());
    }

    #[test]
    fn a_host_that_is_gone_is_out_no_more() {
        let mut two = detector(settings(Some(1), None), &['a', 'b'], "1.27");
        two.see(&'a', Seen::Reset, Duration::ZERO);
        two.set_hosts(&['b']);
        two.set_hosts(&['a', 'b']);
        assert!(!two.is_ejected(&'a'));
    }
}
