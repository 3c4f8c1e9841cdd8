//! Waiting for the end of a process.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Completes when the process that the pidfd means has ended; it may not have been reaped then.
pub(crate) async fn until_ended(pidfd: Arc<OwnedFd>) -> io::Result<()> {
    // SAFETY: the descriptor is closed when the last `Arc` of it goes, and the registration holds one.
    let registered = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    let _guard = registered.map_err(io::Error::from)?.readable().await?;
    Ok(())
}
