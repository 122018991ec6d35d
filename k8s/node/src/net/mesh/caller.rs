//! caller — which pod a connection comes from. On loopback every caller has the same address, but the kernel knows the socket at the
//! other end, `/proc` knows whose it is, and every process of a pod has the pod's address in its environment.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

use super::lock;

/// Processes that are asked first: those that called last.
const REMEMBERED_MAX: usize = 64;
/// How a process of a pod knows the pod's address.
const VARIABLE: &str = "POD_IP=";

/// Finds callers. Each look-up costs some tens of microseconds for a process that has called before.
#[derive(Default)]
pub(super) struct Callers {
    recent: Arc<Mutex<VecDeque<u32>>>,
}

impl Callers {
    /// The address of the pod at the other end; none if it is no pod, or gone already.
    pub async fn find(&self, stream: &TcpStream) -> Option<IpAddr> {
        let (SocketAddr::V4(peer), SocketAddr::V4(here)) =
            (stream.peer_addr().ok()?, stream.local_addr().ok()?)
        else {
            return None;
        };
        let recent = self.recent.clone();
        let found = spawn_blocking(move || look_up(&recent, peer, here)).await;
        found.ok().flatten()
    }
}

fn look_up(
    recent: &Mutex<VecDeque<u32>>,
    peer: SocketAddrV4,
    here: SocketAddrV4,
) -> Option<IpAddr> {
    let inode = match inode(peer, here) {
        Ok(inode) => inode.filter(|inode| *inode != 0)?,
        Err(error) => {
            tracing::warn!(%error, "the kernel does not tell whose a connection is; no caller has a side-car");
            return None;
        }
    };
    let name = format!("socket:[{inode}]");
    let known: Vec<u32> = lock(recent).iter().copied().collect();
    let holder = known.iter().copied().find(|pid| holds(*pid, &name));
    let holder = holder.or_else(|| {
        let mut others = processes();
        // The newest first: it is a process that has just started.
        others.sort_unstable_by_key(|pid| std::cmp::Reverse(*pid));
        let mut others = others.into_iter().filter(|pid| !known.contains(pid));
        others.find(|pid| holds(*pid, &name))
    })?;
    let mut recent = lock(recent);
    recent.retain(|pid| *pid != holder);
    recent.push_front(holder);
    recent.truncate(REMEMBERED_MAX);
    drop(recent);
    pod_address(&fs::read(format!("/proc/{holder}/environ")).ok()?)
}

fn pod_address(environment: &[u8]) -> Option<IpAddr> {
    let mut all = environment.split(|byte| *byte == 0);
    let value = all.find_map(|one| one.strip_prefix(VARIABLE.as_bytes()))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn holds(pid: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    let mut files = files.into_iter().flatten().flatten();
    files.any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket))
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const INET: u8 = 2;
const TCP: u8 = 6;
/// Where `inet_diag_msg.idiag_inode` is in an answer.
const INODE: std::ops::Range<usize> = 84..88;

/// The inode of the socket that is bound to `local` and connected to `remote`, by the kernel's socket diagnosis.
fn inode(local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<Option<u32>> {
    let fd = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    let mut kernel = File::from(fd);
    kernel.write_all(&question(local, remote))?;
    let mut answer = [0; 1024];
    let length = kernel.read(&mut answer)?;
    let is_found = answer[4..6] == SOCK_DIAG_BY_FAMILY.to_ne_bytes() && length >= INODE.end;
    Ok(is_found.then(|| {
        let bytes = answer[INODE].try_into().expect("four bytes");
        u32::from_ne_bytes(bytes)
    }))
}

/// `nlmsghdr` and `inet_diag_req_v2` for exactly one socket.
fn question(local: SocketAddrV4, remote: SocketAddrV4) -> Vec<u8> {
    const LENGTH: u32 = 72;
    let mut bytes = vec![];
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([INET, TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    for address in [local, remote] {
        bytes.extend(address.ip().octets());
        bytes.extend([0; 12]);
    }
    // Any interface, and no cookie.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_process_at_the_other_end_is_found() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, peer) = accepted.unwrap();
        let (SocketAddr::V4(peer), SocketAddr::V4(here)) = (peer, address) else {
            panic!("loopback")
        };
        let recent = Mutex::default();
        // This process is no pod, or has the address that its environment says.
        let own = std::env::var("POD_IP").ok().and_then(|ip| ip.parse().ok());
        assert_eq!(look_up(&recent, peer, here), own);
        assert_eq!(*recent.lock().unwrap(), [std::process::id()]);
        drop(stream);
    }

    #[test]
    fn nobody_is_found_behind_a_connection_that_there_is_not() {
        let address = |port| SocketAddrV4::new([127, 0, 0, 1].into(), port);
        assert_eq!(inode(address(1), address(2)).unwrap(), None);
    }

    #[test]
    fn the_pod_s_address_is_in_its_environment() {
        assert_eq!(
            pod_address(b"A=1\0POD_IP=127.1.0.7\0B=2\0"),
            Some([127, 1, 0, 7].into())
        );
        assert_eq!(pod_address(b"MY_POD_IP=127.1.0.7\0"), None);
        assert_eq!(pod_address(b""), None);
    }
}
