//! profile — the Istio release whose behaviour is meant. What releases do differently is asked here and nowhere else.

use std::str::FromStr;

/// On a Namespace: the release that the side-cars in it behave like, `1.7` for example. Without it, [`Profile::default`].
pub const ANNOTATION: &str = "brownout.dev/istio-profile";

/// Istio 1.N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Profile(u8);

/// The oldest release whose behaviour is known here.
const OLDEST: u8 = 4;
/// The newest.
const NEWEST: u8 = 27;

impl Default for Profile {
    /// Istio 1.27.
    fn default() -> Profile {
        Profile(NEWEST)
    }
}

impl FromStr for Profile {
    type Err = String;

    /// `1.7` or `1.7.1`; from 1.4 to 1.27.
    fn from_str(text: &str) -> Result<Profile, String> {
        let mut parts = text.split('.');
        let minor = match (parts.next(), parts.next().map(u8::from_str)) {
            (Some("1"), Some(Ok(minor))) => minor,
            _ => 0,
        };
        let rest_is_a_number = parts.all(|part| part.parse::<u8>().is_ok());
        if (OLDEST..=NEWEST).contains(&minor) && rest_is_a_number {
            Ok(Profile(minor))
        } else {
            Err(format!(
                "must be an Istio release from 1.{OLDEST} to 1.{NEWEST}"
            ))
        }
    }
}

impl Profile {
    /// `outlierDetection.consecutiveErrors` counts gateway errors; later it is ignored.
    pub fn knows_consecutive_errors(self) -> bool {
        self.0 <= 6
    }

    /// `consecutive5xxErrors` and `consecutiveGatewayErrors` exist.
    pub fn knows_error_kinds(self) -> bool {
        self.0 >= 5
    }

    /// `http2MaxRequests` limits requests over HTTP/1.1 as well.
    pub fn limits_requests_of_http_1(self) -> bool {
        self.0 >= 6
    }

    /// A 503 is among what is tried again by default.
    pub fn retries_503(self) -> bool {
        self.0 <= 23
    }

    /// A 503 that the other side's overflow caused counts as any other 503 when it comes to trying again.
    pub fn retries_overload(self) -> bool {
        self.0 >= 7
    }

    /// A side-car finds out by itself whether what comes in is HTTP, when the port's name does not say so.
    pub fn sniffs_inbound(self) -> bool {
        self.0 >= 7
    }

    /// Requests go to the host with the fewer ones under way; earlier to each in turn.
    pub fn balances_by_load(self) -> bool {
        self.0 >= 14
    }

    /// Whether one more of `hosts` may be left out, when `out` of them are and at most `percent` may be.
    pub fn may_eject(self, out: usize, hosts: usize, percent: u32) -> bool {
        let share_with = |count: usize| count * 100 <= hosts * percent as usize;
        match self.0 {
            ..=18 => out * 100 < hosts * percent as usize,
            19 => out == 0 || share_with(out + 1),
            20.. => share_with(out + 1),
        }
    }

    /// How long a host may be left out at most: no limit at first. With the limit came forgiveness: each quiet interval takes one
    /// ejection off the record.
    pub fn limits_ejection_time(self) -> bool {
        self.0 >= 9
    }

    /// The texts of Envoy's own answers got longer.
    pub fn explains_failures(self) -> bool {
        self.0 >= 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_written_with_or_without_its_patch() {
        let seven: Profile = "1.7".parse().unwrap();
        assert_eq!("1.7.1".parse(), Ok(seven));
        assert!("1.4".parse::<Profile>().unwrap() < seven && seven < Profile::default());
        for wrong in ["", "1", "1.3", "1.28", "2.7", "1.7.x", "latest"] {
            assert_eq!(
                wrong.parse::<Profile>().unwrap_err(),
                "must be an Istio release from 1.4 to 1.27",
                "{wrong}"
            );
        }
    }

    #[test]
    fn how_many_hosts_may_be_left_out_depends_on_the_release() {
        let may = |release: &str, out, hosts, percent| {
            let profile: Profile = release.parse().unwrap();
            profile.may_eject(out, hosts, percent)
        };
        // One host and three at 10 %: the first always goes, until that ended with Istio 1.20.
        assert_eq!(
            ["1.7", "1.19", "1.20"].map(|release| may(release, 0, 1, 10)),
            [true, true, false]
        );
        assert_eq!(
            ["1.7", "1.19", "1.20"].map(|release| may(release, 0, 3, 10)),
            [true, true, false]
        );
        assert_eq!(
            ["1.7", "1.19", "1.20"].map(|release| may(release, 0, 2, 50)),
            [true, true, true]
        );
        assert_eq!(
            ["1.7", "1.19", "1.20"].map(|release| may(release, 1, 3, 50)),
            [true, false, false]
        );
        assert!(may("1.27", 0, 1, 100));
    }
}
