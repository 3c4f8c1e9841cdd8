//! Waking those who follow a log when it grows: one watch for all of them, since a user may have few.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::StreamExt;
use inotify::{Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::sync::Notify;

/// Where followers ask to be woken.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Mutex<Option<Watching>>);

#[derive(Debug)]
struct Watching {
    watches: Watches,
    followers: Arc<Mutex<HashMap<WatchDescriptor, Vec<Weak<Notify>>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Wakers {
    /// Wakes the returned follower whenever the file grows. An error is no catastrophe: a follower looks for
    /// itself now and then.
    pub(crate) fn follow(&self, file: &Path) -> io::Result<Arc<Notify>> {
        let mut watching = lock(&self.0);
        // The runtime that the task ran on may have ended before us.
        if watching
            .as_ref()
            .is_some_and(|watching| watching.task.is_finished())
        {
            *watching = None;
        }
        let watching = match &mut *watching {
            Some(watching) => watching,
            none => none.insert(Watching::start()?),
        };
        let watch = watching.watches.add(file, WatchMask::MODIFY)?;
        let follower = Arc::new(Notify::new());
        let mut followers = lock(&watching.followers);
        let those_of_file = followers.entry(watch).or_default();
        those_of_file.retain(|follower| follower.strong_count() > 0);
        those_of_file.push(Arc::downgrade(&follower));
        Ok(follower)
    }
}

impl Watching {
    fn start() -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        let mut events = inotify.into_event_stream(vec![0; 16 * 1024])?;
        let followers: Arc<Mutex<HashMap<WatchDescriptor, Vec<Weak<Notify>>>>> = Arc::default();
        let task = tokio::spawn({
            let (followers, mut watches) = (Arc::clone(&followers), watches.clone());
            async move {
                while let Some(Ok(event)) = events.next().await {
                    let mut followers = lock(&followers);
                    let Some(those_of_file) = followers.get_mut(&event.wd) else {
                        continue;
                    };
                    those_of_file.retain(|follower| match follower.upgrade() {
                        Some(follower) => {
                            follower.notify_one();
                            true
                        }
                        None => false,
                    });
                    if those_of_file.is_empty() {
                        followers.remove(&event.wd);
                        // The file may be gone already, and the watch with it.
                        let _gone = watches.remove(event.wd);
                    }
                }
            }
        });
        Ok(Self {
            watches,
            followers,
            task,
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
