//! dialect — what a database needs beyond plain SQL. So far there is SQLite.

/// Said to every new connection.
pub(super) fn greetings(url: &str) -> &'static [&'static str] {
    if is_memory(url) {
        &[]
    } else {
        &[
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = NORMAL",
            "PRAGMA busy_timeout = 5000",
        ]
    }
}

/// The address with what it needs so that a missing file is created.
pub(super) fn creating(url: &str) -> String {
    let has_mode = is_memory(url) || url.contains("mode=");
    let glue = if url.contains('?') { '&' } else { '?' };
    if has_mode {
        url.to_owned()
    } else {
        format!("{url}{glue}mode=rwc")
    }
}

fn is_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}
