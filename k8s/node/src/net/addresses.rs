//! addresses — one block of loopback addresses per cluster, so that two clusters on one machine do not meet.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

/// The last address of a block belongs to nobody; whoever listens there owns the block. The port is arbitrary, above the
/// privileged ones and below those that the kernel hands out.
const HOLD: (u8, u16) = (255, 20_719);
/// Pods get x.x.x.1 to x.x.x.254.
const LAST: u8 = 254;

/// 127.1.N.0/24 for pods and 127.2.N.0/24 for Services. N is ours until the last copy is dropped or the process ends.
#[derive(Debug, Clone)]
pub struct AddressBlock {
    number: u8,
    pods: Arc<Mutex<Pods>>,
    _hold: Arc<Option<TcpListener>>,
}

#[derive(Debug, Default)]
struct Pods {
    used: BTreeSet<u8>,
    last: u8,
}

impl AddressBlock {
    /// A block that no other cluster on this machine holds.
    ///
    /// # Errors
    /// `AddrInUse` when all 256 are held.
    pub fn claim() -> io::Result<AddressBlock> {
        let first: u8 = rand::random();
        for number in (0..=u8::MAX).map(|step| first.wrapping_add(step)) {
            match TcpListener::bind((Ipv4Addr::new(127, 1, number, HOLD.0), HOLD.1)) {
                Ok(hold) => return Ok(AddressBlock::new(number, Some(hold))),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "256 clusters hold all blocks of loopback addresses",
        ))
    }

    /// A block for a simulated cluster, whose addresses nobody ever uses.
    pub fn imaginary() -> AddressBlock {
        AddressBlock::new(0, None)
    }

    fn new(number: u8, hold: Option<TcpListener>) -> AddressBlock {
        AddressBlock {
            number,
            pods: Arc::default(),
            _hold: Arc::new(hold),
        }
    }

    /// The first three bytes of Service addresses.
    pub fn service_prefix(&self) -> [u8; 3] {
        [127, 2, self.number]
    }

    /// An address for a pod, or none when all are in use. One that was given back is used again as late as possible.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        let host = (1..=LAST)
            .map(|step| after(pods.last, step))
            .find(|host| !pods.used.contains(host))?;
        pods.used.insert(host);
        pods.last = host;
        Some(Lease {
            address: Ipv4Addr::new(127, 1, self.number, host),
            host,
            pods: self.pods.clone(),
        })
    }
}

// Counts 1, 2, … 254, 1, …
fn after(last: u8, step: u8) -> u8 {
    let next = (u16::from(last) + u16::from(step) - 1) % u16::from(LAST) + 1;
    u8::try_from(next).expect("a remainder below 254, plus 1")
}

/// A pod's address, free again when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub address: Ipv4Addr,
    host: u8,
    pods: Arc<Mutex<Pods>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pods
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .used
            .remove(&self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_never_hold_the_same_block() {
        let (one, two) = (
            AddressBlock::claim().unwrap(),
            AddressBlock::claim().unwrap(),
        );
        assert_ne!(one.service_prefix(), two.service_prefix());
    }

    #[test]
    fn every_address_is_leased_once_and_the_one_given_back_first_comes_last() {
        let block = AddressBlock::imaginary();
        let mut leases: Vec<Lease> = std::iter::from_fn(|| block.lease()).collect();
        let hosts: BTreeSet<u8> = leases.iter().map(|lease| lease.host).collect();
        assert_eq!(
            (leases.len(), hosts.first(), hosts.last()),
            (254, Some(&1), Some(&254))
        );
        drop(leases.remove(6));
        assert_eq!(block.lease().unwrap().address, Ipv4Addr::new(127, 1, 0, 7));
    }

    #[test]
    fn a_freed_address_rests() {
        let block = AddressBlock::imaginary();
        drop(block.lease());
        assert_eq!(block.lease().unwrap().address, Ipv4Addr::new(127, 1, 0, 2));
    }
}
