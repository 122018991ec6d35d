//! user — who runs the server: PostgreSQL refuses to be run by root.

use crate::{Error, INSIDE};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Whom the server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Whoever started it, an ordinary user.
    Same,
    /// Root becomes this user, as in the official image.
    Other { uid: u32, gid: u32 },
    /// Root of a user namespace with nobody else in it: the same user under another number, in a namespace within.
    Renumbered { uid: u32, gid: u32 },
}

impl User {
    /// The machine's user `postgres`, or `nobody`; an ordinary user stays.
    pub fn choose() -> Result<User, Error> {
        if !geteuid().is_root() {
            return Ok(User::Same);
        }
        let known = ["postgres", "nobody"].into_iter();
        let user = known.filter_map(|name| nix::unistd::User::from_name(name).ok().flatten());
        let user = { user }.next().ok_or(Error::NoUser)?;
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        Ok(match is_mapped(&map, uid) {
            true => User::Other { uid, gid },
            false => User::Renumbered { uid, gid },
        })
    }

    /// A program as this user, not yet started.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new("/proc/self/exe");
        command.arg(INSIDE).arg(self.word()).arg(program);
        // The folder it was started in may not be for everybody.
        command.current_dir("/");
        command
    }

    /// Whose the data must be, if not whose it is anyway.
    pub fn owner(self) -> Option<(u32, u32)> {
        match self {
            User::Other { uid, gid } => Some((uid, gid)),
            User::Same | User::Renumbered { .. } => None,
        }
    }

    fn word(self) -> String {
        match self {
            User::Same => "same".into(),
            User::Other { uid, gid } => format!("other:{uid}:{gid}"),
            User::Renumbered { uid, gid } => format!("renumbered:{uid}:{gid}"),
        }
    }

    fn of_word(word: &str) -> Option<User> {
        let mut parts = word.split(':');
        let kind = parts.next()?;
        let mut number = || parts.next()?.parse().ok();
        match kind {
            "same" => Some(User::Same),
            "other" => Some(User::Other {
                uid: number()?,
                gid: number()?,
            }),
            "renumbered" => Some(User::Renumbered {
                uid: number()?,
                gid: number()?,
            }),
            _ => None,
        }
    }

    fn become_it(self) -> io::Result<()> {
        match self {
            User::Same => {}
            User::Other { uid, gid } => {
                let gid = Gid::from_raw(gid);
                setgroups(&[gid])?;
                setgid(gid)?;
                setuid(Uid::from_raw(uid))?;
            }
            User::Renumbered { uid, gid } => {
                unshare(CloneFlags::CLONE_NEWUSER)?;
                fs::write("/proc/self/setgroups", "deny")?;
                fs::write("/proc/self/uid_map", format!("{uid} 0 1"))?;
                fs::write("/proc/self/gid_map", format!("{gid} 0 1"))?;
            }
        }
        Ok(())
    }
}

/// Whether a user of this number exists in a namespace with this `uid_map`: lines of first number, first outside, how many.
fn is_mapped(map: &str, uid: u32) -> bool {
    let numbers = |line: &str| -> Option<(u64, u64)> {
        let mut words = line.split_whitespace();
        let first = words.next()?.parse().ok()?;
        Some((first, words.nth(1)?.parse().ok()?))
    };
    let mut ranges = map.lines().filter_map(numbers);
    ranges.any(|(first, count)| (first..first + count).contains(&u64::from(uid)))
}

/// `args` are whom to become, a program and its arguments.
pub(crate) fn become_program(args: &[String]) -> Result<Infallible, Error> {
    let failed = |doing| move |source: io::Error| Error::System { doing, source };
    let (word, rest) = args.split_first().unzip();
    let user = word.and_then(|word| User::of_word(word));
    let (Some(user), Some((program, args))) = (user, rest.and_then(|rest| rest.split_first()))
    else {
        let by_hand = io::Error::other("it is started by the image's entry point, not by hand");
        return Err(failed(INSIDE)(by_hand));
    };
    user.become_it()
        .map_err(failed("becoming a user who is not root"))?;
    // The entry point waits with signals blocked; the program must not inherit that.
    SigSet::empty()
        .thread_set_mask()
        .map_err(|error| failed("signal mask")(error.into()))?;
    Err(failed("starting a program of PostgreSQL")(
        Command::new(program).args(args).exec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_of_one_user_has_no_other() {
        assert!(is_mapped("         0          0 4294967295\n", 101));
        assert!(!is_mapped("         0       1000          1\n", 101));
        assert!(is_mapped("0 1000 1\n1 100000 65536\n", 101));
    }

    #[test]
    fn whom_to_become_is_a_word_of_the_command_line() {
        let (uid, gid) = (101, 104);
        for user in [
            User::Same,
            User::Other { uid, gid },
            User::Renumbered { uid, gid },
        ] {
            assert_eq!(User::of_word(&user.word()), Some(user));
        }
        assert_eq!(User::of_word("other:101"), None);
    }
}
