//! Why there was no answer, read from what reqwest, hyper and the system say.
use crate::dns::Unresolved;
use model::ErrorKind;
use nix::errno::Errno;
use std::{error::Error, io, iter::successors};

/// What the system says when it has no descriptor, port or memory for a socket.
const EXHAUSTED: [Errno; 5] = [
    Errno::EMFILE,
    Errno::ENFILE,
    Errno::ENOBUFS,
    Errno::ENOMEM,
    Errno::EADDRNOTAVAIL,
];

/// The first thing in the chain of causes that says what happened.
pub(crate) fn kind(error: &(dyn Error + 'static)) -> ErrorKind {
    successors(Some(error), |e| (*e).source())
        .find_map(known)
        .unwrap_or(ErrorKind::Other)
}

fn known(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if error.is::<Unresolved>() {
        Some(ErrorKind::Dns)
    } else if let Some(e) = error.downcast_ref::<io::Error>() {
        of_io(e)
    } else if let Some(e) = error.downcast_ref::<hyper::Error>() {
        of_hyper(e)
    } else if let Some(e) = error.downcast_ref::<reqwest::Error>() {
        e.is_timeout().then_some(ErrorKind::Timeout)
    } else {
        error
            .is::<tokio::time::error::Elapsed>()
            .then_some(ErrorKind::Timeout)
    }
}

fn of_io(error: &io::Error) -> Option<ErrorKind> {
    use io::ErrorKind::*;
    match error.kind() {
        // A Service without endpoints refuses; an address that no pod has any more is unreachable.
        ConnectionRefused | HostUnreachable | NetworkUnreachable => {
            Some(ErrorKind::ConnectionRefused)
        }
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof | NotConnected => {
            Some(ErrorKind::ConnectionReset)
        }
        TimedOut => Some(ErrorKind::Timeout),
        AddrNotAvailable | OutOfMemory => Some(ErrorKind::Exhausted),
        _ => error
            .raw_os_error()
            .filter(|code| EXHAUSTED.contains(&Errno::from_raw(*code)))
            .map(|_| ErrorKind::Exhausted),
    }
}

fn of_hyper(error: &hyper::Error) -> Option<ErrorKind> {
    if error.is_parse() {
        Some(ErrorKind::Protocol)
    } else if error.is_timeout() {
        Some(ErrorKind::Timeout)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(ErrorKind::ConnectionReset)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connecting")]
    struct Connecting(#[source] io::Error);

    #[test]
    fn the_cause_may_be_deep_in_the_chain() {
        let kinds = [
            (
                io::ErrorKind::ConnectionRefused,
                ErrorKind::ConnectionRefused,
            ),
            (io::ErrorKind::HostUnreachable, ErrorKind::ConnectionRefused),
            (io::ErrorKind::BrokenPipe, ErrorKind::ConnectionReset),
            (io::ErrorKind::TimedOut, ErrorKind::Timeout),
            (io::ErrorKind::AddrNotAvailable, ErrorKind::Exhausted),
            (io::ErrorKind::InvalidInput, ErrorKind::Other),
        ];
        for (io, expected) in kinds {
            assert_eq!(kind(&Connecting(io.into())), expected, "{io:?}");
        }
        let no_descriptor = io::Error::from_raw_os_error(Errno::EMFILE as i32);
        assert_eq!(kind(&Connecting(no_descriptor)), ErrorKind::Exhausted);
    }
}
