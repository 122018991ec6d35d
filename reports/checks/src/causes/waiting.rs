//! Requests that waited until their own limit: whatever they called has none.
use super::{Sign, rank, seen::Seen};
use model::Window;

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let windows = seen.windows.iter();
    windows.filter_map(|window| waited(seen, window)).collect()
}

fn waited(seen: &Seen, window: &Window) -> Option<Sign> {
    let (kind, n) = window.kinds.first()?;
    let (_, load) = seen.plan.loads().find(|(step, _)| *step == window.step)?;
    if kind != "timeout" {
        return None;
    }
    let detail = format!(
        "{n} requests were not answered within {}, the limit of the load: what answers them, or what that calls, has no shorter limit",
        load.timeout
    );
    let object = format!("load “{}”", window.step);
    let sign = Sign::at(
        window.from,
        rank::WAITING,
        "waits without a limit",
        object,
        detail,
    );
    Some(sign.until(window.to))
}
