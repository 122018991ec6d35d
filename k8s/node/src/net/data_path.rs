//! The threads that carry what pods say to each other, and do nothing else: a container that is being started or an object that is
//! being read takes tens of milliseconds of a thread, and no connection may wait for that. In a real node the kernel carries them.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// More threads than this find nothing to do: a connection costs microseconds.
const THREADS_MAX: usize = 8;

static DATA_PATH: LazyLock<Runtime> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.clamp(2, THREADS_MAX))
        .thread_name("data-path")
        .enable_all()
        .build()
        .expect("a runtime needs only threads and an epoll")
});

/// Where listeners and connections of Services live.
pub(super) fn data_path() -> &'static Handle {
    DATA_PATH.handle()
}
