//! sockets — on which ports processes listen at every address, from /proc.

use std::collections::BTreeSet;
use std::fs;

/// Ports on which one of these processes listens at 0.0.0.0 or `::`, in order.
pub(super) fn listen_everywhere(processes: &[i32]) -> Vec<u16> {
    let tables = ["tcp", "tcp6"]
        .map(|name| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default());
    let rows: Vec<_> = tables
        .iter()
        .flat_map(|table| table.lines().filter_map(everywhere))
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

/// Port and inode of a row of /proc/net/tcp that listens at every address.
fn everywhere(row: &str) -> Option<(u16, u64)> {
    const LISTEN: &str = "0A";
    let words: Vec<&str> = row.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    if words.get(3) != Some(&LISTEN) || address.contains(|digit| digit != '0') {
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
    fn rows_that_listen_at_every_address_are_found() {
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
        assert_eq!(everywhere(&row("00000000", "01")), None);
    }

    #[test]
    fn only_the_sockets_of_these_processes_count() {
        let stray = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = stray.local_addr().unwrap().port();
        assert!(listen_everywhere(&[std::process::id().cast_signed()]).contains(&port));
        assert!(!listen_everywhere(&[1]).contains(&port));
    }
}
