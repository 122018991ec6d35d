//! sockets — on which ports processes listen at which addresses, from /proc.

use std::collections::BTreeSet;
use std::fs;

/// 0.0.0.0 and `::`, as /proc writes them.
pub(super) const EVERYWHERE: [&str; 2] = ["00000000", "00000000000000000000000000000000"];
/// 127.0.0.1, also as an address of version 6, and `::1`.
pub(super) const LOOPBACK: [&str; 3] = [
    "0100007F",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000000001000000",
];

/// Ports on which one of these processes listens at one of these addresses, in order.
pub(super) fn listen_at<const N: usize>(processes: &[i32], addresses: [&str; N]) -> Vec<u16> {
    let tables = ["tcp", "tcp6"]
        .map(|name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default());
    let rows: Vec<_> = tables
        .iter()
        .flat_map(|table| table.lines().filter_map(|row| listener(row, &addresses)))
        .collect();
    if rows.is_empty() {
        return vec![];
    }
    let own: BTreeSet<u64> = processes.iter().flat_map(|pid| inodes(*pid)).collect();
    let ports: BTreeSet<u16> = rows
        .into_iter()
        .filter(|(_, inode)| own.contains(inode))
        .map(|(port, _)| port)
        .collect();
    ports.into_iter().collect()
}

/// Port and inode of a row of /proc/net/tcp that listens at one of these addresses.
fn listener(row: &str, addresses: &[&str]) -> Option<(u16, u64)> {
    const LISTEN: &str = "0A";
    let words: Vec<&str> = row.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    if words.get(3) != Some(&LISTEN) || !addresses.contains(&address) {
        return None;
    }
    Some((
        u16::from_str_radix(port, 16).ok()?,
        words.get(9)?.parse().ok()?,
    ))
}

fn inodes(pid: i32) -> impl Iterator<Item = u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    files.filter_map(|file| {
        let link = fs::read_link(file.path()).ok()?;
        link.to_str()?
            .strip_prefix("socket:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_listen_at_an_address_are_found() {
        let everywhere = |row: &str| listener(row, &EVERYWHERE);
        let row = |address: &str, state: &str| {
            format!(
                "   0: {address}:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0"
            )
        };
        assert_eq!(everywhere(&row("00000000", "0A")), Some((8080, 4711)));
        assert_eq!(
            everywhere(&row("00000000000000000000000000000000", "0A")),
            Some((8080, 4711))
        );
        assert_eq!(everywhere(&row("0100007F", "0A")), None);
        assert_eq!(
            listener(&row("0100007F", "0A"), &LOOPBACK),
            Some((8080, 4711))
        );
        assert_eq!(everywhere(&row("00000000", "01")), None);
    }

    #[test]
    fn only_the_sockets_of_these_processes_count() {
        let stray = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = stray.local_addr().unwrap().port();
        assert!(listen_at(&[std::process::id().cast_signed()], EVERYWHERE).contains(&port));
        assert!(!listen_at(&[1], EVERYWHERE).contains(&port));
    }
}
