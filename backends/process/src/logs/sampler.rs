//! Looks at the logs that grow: notes when, and gives the head of the longest back to the disk.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use inotify::{EventMask, Inotify, WatchMask};
use rustix::time::{ClockId, clock_gettime};

use super::LogFolder;
use super::book::{Book, Extent};
use crate::os::files::{BLOCK, punch_hole};

/// How long the sampler rests between two looks: the resolution of the logs' times.
pub(crate) const RESOLUTION: Duration = Duration::from_millis(20);

/// It has a processor for a tenth of the time at the most, however many logs grow.
const REST_FOR_ONE_LOOK: u32 = 9;

/// A log that has not grown for so many looks is closed again.
const QUIET_LOOKS: u32 = 250;

/// How many logs are looked at before somebody else has his turn, when there are many.
const SOME: usize = 128;

/// Of the descriptors that we may have, one in so many is for a log.
const SHARE_OF_DESCRIPTORS: u64 = 4;

/// Starts to look at the logs in `folder`, for as long as the returned handle lives. Each log keeps its last
/// `bound` bytes at least, and not much more.
pub(crate) fn start(
    folder: LogFolder,
    bound: u64,
) -> io::Result<tokio_util::task::AbortOnDropHandle<()>> {
    std::fs::create_dir_all(folder.path())?;
    let inotify = Inotify::init()?;
    inotify.watches().add(folder.path(), WatchMask::MODIFY)?;
    let mut events = inotify.into_event_stream(vec![0; 16 * 1024])?;
    let mut sampler = Sampler {
        folder,
        bound,
        logs: HashMap::new(),
        most_open: most_open(),
        holes: true,
    };
    let task = tokio::spawn(async move {
        // What was written while nobody looked comes first.
        let names = sampler.all_names();
        for some in names.chunks(SOME) {
            sampler.look(some.iter().cloned().collect());
            // Most will not grow again soon.
            sampler.logs.clear();
            tokio::task::yield_now().await;
        }
        loop {
            let mut grown = HashSet::new();
            let mut all = false;
            // The first event wakes us; those that are there with it are taken along.
            let mut event = events.next().await;
            while let Some(found) = event {
                match found {
                    Ok(found) if found.mask.contains(EventMask::Q_OVERFLOW) => all = true,
                    Ok(found) => grown.extend(found.name),
                    Err(error) => {
                        tracing::warn!(%error, "the logs' growth cannot be followed");
                        return;
                    }
                }
                event = futures_util::future::FutureExt::now_or_never(events.next()).flatten();
            }
            if all {
                grown.extend(sampler.all_names());
            }
            let spent = processor_time();
            let shortened = sampler.look(grown);
            // Whoever floods the disk is not given more of it by our taking a rest.
            let rest = processor_time().saturating_sub(spent) * REST_FOR_ONE_LOOK;
            tokio::time::sleep(if shortened {
                RESOLUTION
            } else {
                RESOLUTION.max(rest)
            })
            .await;
        }
    });
    Ok(tokio_util::task::AbortOnDropHandle::new(task))
}

/// How long this thread has had a processor: a look that is held up by others costs nothing.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn most_open() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let share = limit.unwrap_or(u64::MAX) / SHARE_OF_DESCRIPTORS;
    usize::try_from(share).unwrap_or(usize::MAX).max(1)
}

struct Sampler {
    folder: LogFolder,
    bound: u64,
    logs: HashMap<OsString, Log>,
    /// How many of them may be open: each agent costs a descriptor too.
    most_open: usize,
    /// Whether the file system can punch holes, as far as we know.
    holes: bool,
}

/// A log that grows.
struct Log {
    file: File,
    book: Book,
    /// What its last bytes were: if they change, the agent has cut it off and written anew.
    mark: Vec<u8>,
    quiet: u32,
}

impl Sampler {
    fn all_names(&self) -> Vec<OsString> {
        std::fs::read_dir(self.folder.path())
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .collect()
    }

    /// Whether any log was shortened.
    fn look(&mut self, grown: HashSet<OsString>) -> bool {
        let mut shortened = false;
        self.logs.retain(|_, log| {
            log.quiet += 1;
            log.quiet < QUIET_LOOKS
        });
        for name in grown {
            // Our own books grow here too.
            if name.as_encoded_bytes().ends_with(b".book") {
                continue;
            }
            match self.look_at(&name) {
                Ok(is_shorter) => shortened |= is_shorter,
                Err(error) => {
                    self.logs.remove(&name);
                    if error.kind() != io::ErrorKind::NotFound {
                        tracing::warn!(log = ?name, %error, "a log cannot be bounded or dated");
                    }
                }
            }
        }
        shortened
    }

    /// Makes room for one more.
    fn close_the_quietest(&mut self) {
        while self.logs.len() >= self.most_open {
            let quietest = self.logs.iter().max_by_key(|(_, log)| log.quiet);
            let Some(name) = quietest.map(|(name, _)| name.clone()) else {
                return;
            };
            self.logs.remove(&name);
        }
    }

    fn look_at(&mut self, name: &OsString) -> io::Result<bool> {
        // An agent of this name may have been removed, and another begun: that is another log.
        if self.logs.get(name).is_some_and(Log::is_deleted) {
            self.logs.remove(name);
        }
        let log = match self.logs.get_mut(name) {
            Some(log) => log,
            None => {
                self.close_the_quietest();
                let path = self.folder.path().join(name);
                let file = File::options().read(true).write(true).open(&path)?;
                let mut book_path = path.into_os_string();
                book_path.push(".book");
                let book = Book::open(PathBuf::from(book_path));
                self.logs.entry(name.clone()).or_insert(Log {
                    file,
                    book,
                    mark: Vec::new(),
                    quiet: 0,
                })
            }
        };
        log.quiet = 0;
        log.grow(SystemTime::now())?;
        if !self.holes {
            return Ok(false);
        }
        match log.shorten(self.bound) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.holes = false;
                tracing::warn!(
                    folder = %self.folder.path().display(),
                    "this file system cannot give back the head of a file: logs grow without bound"
                );
                Ok(false)
            }
            other => other,
        }
    }
}

impl Log {
    fn is_deleted(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    fn grow(&mut self, now: SystemTime) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let Extent { head, base } = self.book.extent();
        let end = self.book.end();
        let was_cut = base + len < end || !self.mark_is_there(end - base)?;
        let base = if was_cut {
            // All that was there is gone; what is there now follows it.
            self.book.set_extent(Extent {
                head: end.max(head),
                base: end,
            })?;
            end
        } else {
            base
        };
        // First: what the book has noted is known by its mark, should it be cut off this very moment.
        self.remember_mark(len)?;
        if base + len != end {
            self.book.note(base + len, now)?;
        }
        Ok(())
    }

    fn mark_is_there(&self, end: u64) -> io::Result<bool> {
        let len = self.mark.len();
        let mut found = vec![0; len];
        match self.file.read_exact_at(&mut found, end - len as u64) {
            Ok(()) => Ok(found == self.mark),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn remember_mark(&mut self, end: u64) -> io::Result<()> {
        self.mark.resize(end.min(32) as usize, 0);
        let from = end - self.mark.len() as u64;
        match self.file.read_exact_at(&mut self.mark, from) {
            // It was cut off this very moment: the next look will see it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.mark.clear(),
            other => other?,
        }
        Ok(())
    }

    fn shorten(&mut self, bound: u64) -> io::Result<bool> {
        let Extent { head, base } = self.book.extent();
        let len = self.book.end() - base;
        let from = head.saturating_sub(base);
        // A quarter more, so that not every look makes a hole.
        if len - from.min(len) <= bound + bound / 4 {
            return Ok(false);
        }
        let to = (len - bound) / BLOCK * BLOCK;
        if to <= from {
            return Ok(false);
        }
        self.book.set_extent(Extent {
            head: base + to,
            base,
        })?;
        punch_hole(&self.file, from / BLOCK * BLOCK, to)?;
        Ok(true)
    }
}
