//! On what the keeper's own tasks run: they outlive every call and every runtime of a caller.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Where tasks run. In a process that keeps alone, on its one runtime; beside somebody else's program on a
/// thread of our own, since that program's runtimes may end before its agents do.
#[derive(Debug)]
pub(super) struct Tasks {
    handle: Handle,
    /// Its drop ends the thread.
    _thread: Option<oneshot::Sender<()>>,
}

impl Tasks {
    pub(super) fn new(own_process: bool) -> io::Result<Self> {
        if own_process {
            return Ok(Self {
                handle: Handle::current(),
                _thread: None,
            });
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let live = move || {
            // That the sender goes is all that is waited for.
            let _gone = runtime.block_on(ended);
        };
        std::thread::Builder::new()
            .name("alveary-keep".to_owned())
            .spawn(live)?;
        Ok(Self {
            handle,
            _thread: Some(end),
        })
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// For what finds its runtime by itself.
    pub(super) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.handle.enter()
    }
}
