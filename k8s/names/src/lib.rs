//! names — the addresses of a host name, as a pod must see them.
//!
//! In a cluster the system resolver knows the Services. A pod of the embedded cluster's *plain* tier has no hosts file of
//! its own; there the environment variable `BROWNOUT_HOSTS` names a file of the same format, which is then the only source.
//! Every client in this project resolves through here (reqwest and hyper take a custom resolver), so that a Service name
//! means the same in every tier.
//!
//! ```no_run
//! // `resolve` reads a file or asks the system, so it blocks: from async code call it on a thread that may.
//! # async fn example() -> std::io::Result<()> {
//! # mod tokio { pub mod task { pub async fn spawn_blocking<T>(f: impl FnOnce() -> T) -> Result<T, std::io::Error> { Ok(f()) } } }
//! let addresses = tokio::task::spawn_blocking(|| names::resolve("room")).await??;
//! # Ok(()) }
//! ```

use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// The environment variable that names the hosts file.
pub const HOSTS_VARIABLE: &str = "BROWNOUT_HOSTS";

/// Addresses of `host`, at least one. A literal address is its own answer.
///
/// The file is read anew at each call: Services come and go while a process runs, and a cached answer would hide it.
/// An unknown name fails as the system resolver's does, with "Name or service not known".
///
/// # Errors
/// `NotFound` for an unknown name in the hosts file; otherwise what reading it, or the system resolver, reports.
pub fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    match std::env::var_os(HOSTS_VARIABLE) {
        Some(path) => known(lookup(&fs::read_to_string(path)?, host), host),
        None => known(
            (host, 0)
                .to_socket_addrs()?
                .map(|address| address.ip())
                .collect(),
            host,
        ),
    }
}

fn known(mut found: Vec<IpAddr>, host: &str) -> io::Result<Vec<IpAddr>> {
    found.dedup();
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{host}: Name or service not known"),
        ));
    }
    Ok(found)
}

/// Addresses of `host` in a text of the format of hosts(5), in the order of its lines. Names are compared without case.
pub fn lookup(hosts: &str, host: &str) -> Vec<IpAddr> {
    hosts
        .lines()
        .filter_map(|line| address_for(line, host.trim_end_matches('.')))
        .collect()
}

fn address_for(line: &str, host: &str) -> Option<IpAddr> {
    let mut words = line.split('#').next()?.split_whitespace();
    let address = words.next()?.parse().ok()?;
    words
        .any(|name| name.eq_ignore_ascii_case(host))
        .then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "\
# written by the node
127.0.0.1 localhost
127.2.7.1\troom room.default  room.default.svc # the room service
127.2.7.2 my-kafka

127.1.7.5 headless
127.1.7.6 headless
not-an-address pay
";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_name_of_a_line_means_its_address() {
        for name in ["room", "room.default", "room.default.svc", "ROOM", "room."] {
            assert_eq!(lookup(HOSTS, name), [ip("127.2.7.1")], "{name}");
        }
    }

    #[test]
    fn a_name_on_several_lines_has_several_addresses() {
        assert_eq!(
            lookup(HOSTS, "headless"),
            [ip("127.1.7.5"), ip("127.1.7.6")]
        );
    }

    #[test]
    fn comments_parts_of_names_and_broken_lines_mean_nothing() {
        for name in ["service", "the", "roo", "default", "pay", "127.0.0.1", "#"] {
            assert_eq!(lookup(HOSTS, name), [] as [IpAddr; 0], "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_says_so() {
        let error = known(vec![], "nowhere").unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                io::ErrorKind::NotFound,
                "nowhere: Name or service not known".into()
            )
        );
    }

    #[test]
    fn a_literal_address_is_its_own_answer() {
        assert_eq!(resolve("127.1.2.3").unwrap(), [ip("127.1.2.3")]);
        assert_eq!(resolve("::1").unwrap(), [ip("::1")]);
    }

    #[test]
    fn without_a_file_the_system_answers() {
        assert!(
            resolve("localhost")
                .unwrap()
                .iter()
                .all(IpAddr::is_loopback)
        );
    }
}
