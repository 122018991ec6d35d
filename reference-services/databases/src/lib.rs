//! databases — for tests: the same ones on SQLite and, where it is installed, on PostgreSQL.
//!
//! A test takes the address of its database from [`url`] or [`lasting`]. Run as they are, tests get SQLite. One test of the binary
//! calls [`again_on_postgresql`]: it starts a PostgreSQL of its own and runs the whole binary again with that. Where none is installed,
//! it says so and passes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tells a test binary that it is run again, and where the server's socket is.
const SOCKET: &str = "DATABASES_POSTGRESQL_SOCKET";

/// A server in a folder of its own, at a socket of its own, which ends when its standard input does: so nobody's end leaves it behind.
const SERVER: &str = r#"
set -eu
folder=$(mktemp -d /tmp/postgresql.XXXXXX)
server=
leave() {
  [ -z "$server" ] || { kill -INT "$server" 2>/dev/null && wait "$server"; } || true
  rm -rf "$folder"
}
trap leave EXIT
trap 'exit 1' TERM INT HUP
"$1/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync --wal-segsize=1 >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"$1/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c min_wal_size=2MB -c max_wal_size=16MB -c max_connections=400 -c shared_buffers=16MB >"$folder/log" 2>&1 &
server=$!
until "$1/pg_isready" -q -h "$folder"; do
  kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
echo "$folder"
read -r _ || true
"#;

/// The address of an empty database. One in memory is gone when it is closed.
pub fn url() -> String {
    fresh().unwrap_or_else(|| "sqlite::memory:".to_owned())
}

/// The address of an empty database that lasts: in a file of this folder, or on the server.
pub fn lasting(folder: &Path, name: &str) -> String {
    fresh().unwrap_or_else(|| format!("sqlite://{}", folder.join(name).display()))
}

/// Runs this test binary again with PostgreSQL, but for the test that calls this, whose name must contain `postgresql`. Panics when
/// any of the tests fails there.
pub fn again_on_postgresql() {
    let Some(programs) = programs() else {
        eprintln!("skipped: PostgreSQL is not installed (Debian: apt install postgresql)");
        return;
    };
    let server = Server::start(&programs);
    let again = Command::new(std::env::current_exe().expect("this binary is a file"))
        .args(["--skip", "postgresql"])
        .env(SOCKET, &server.socket)
        .output()
        .expect("this binary runs, for it does");
    assert!(
        again.status.success(),
        "on PostgreSQL: {}\n{}",
        String::from_utf8_lossy(&again.stdout),
        String::from_utf8_lossy(&again.stderr)
    );
}

/// Empty schemas on the server, if there is one: cheaper than databases, and services cannot tell.
fn fresh() -> Option<String> {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let socket = std::env::var(SOCKET).ok()?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}_{{service}}", std::process::id());
    Some(format!(
        "postgres://postgres@localhost/postgres?host={socket}&options[search_path]={schema}"
    ))
}

/// The folder of the newest server's programs: Debian's, or that of `initdb` in the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let version = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let newest = versions
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(version);
    newest.map(|path| path.join("bin")).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    })
}

struct Server {
    child: Child,
    socket: String,
}

impl Server {
    fn start(programs: &Path) -> Server {
        let mut command = if is_root() {
            // PostgreSQL refuses to be run by root.
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let mut child = command
            .args(["-c", SERVER, "sh"])
            .arg(programs)
            .current_dir("/tmp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell (and runuser, for root) can be started");
        let stdout = child.stdout.take().expect("it was piped");
        let mut socket = String::new();
        let said = BufReader::new(stdout).read_line(&mut socket);
        let is_up = said.is_ok_and(|bytes| bytes > 0);
        assert!(is_up, "PostgreSQL did not start; it says why above");
        Server {
            child,
            socket: socket.trim_end().to_owned(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
