//! When a change is told of: on a clock of its own, with what the kernel would say.

use std::time::Duration;

use notify::event::{CreateKind, DataChange, ModifyKind};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, timeout};

use super::*;

const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
const OPENED: EventKind = EventKind::Access(AccessKind::Open(AccessMode::Any));
const CREATED: EventKind = EventKind::Create(CreateKind::File);

/// Tells what the kernel would.
#[derive(Clone)]
struct Kernel(UnboundedSender<notify::Result<Event>>);

impl Kernel {
    fn says(&self, kind: EventKind, path: &Path) {
        let event = Event::new(kind).add_path(path.to_owned());
        self.0.send(Ok(event)).unwrap();
    }

    /// Says it over and over, as long as the test takes.
    fn goes_on_saying(&self, kind: EventKind, path: &Path) {
        let (kernel, path) = (self.clone(), path.to_owned());
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_millis(50)).await;
                kernel.says(kind, &path);
            }
        });
    }
}

/// Watches this file, which is another than it was when it was looked at last.
fn watching(file: &Path) -> (Watching, Kernel) {
    let (tell, events) = unbounded_channel();
    let uses = Uses {
        fleet: true,
        ..Uses::default()
    };
    let watched = Watched { uses, print: None };
    let watching = Watching {
        options: LoadOptions::default(),
        names: Vec::new(),
        place: Place::host("/bin/alveary"),
        watcher: notify::recommended_watcher(|_| {}).unwrap(),
        events,
        folders: HashSet::new(),
        files: HashMap::from([(file.to_owned(), watched)]),
        touched: Touched::default(),
    };
    (watching, Kernel(tell))
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_of_others_and_what_only_reads_a_file_makes_nobody_wait() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (kind, path) in [
        (OPENED, file.path()),
        (OPENED, Path::new("/usr/bin/true")),
        (CREATED, Path::new("/usr/bin/new")),
    ] {
        let (mut watching, kernel) = watching(file.path());
        kernel.says(WRITTEN, file.path());
        kernel.goes_on_saying(kind, path);
        let begun = Instant::now();
        assert_eq!(watching.next().await.fleet.as_deref(), Some(file.path()));
        assert!(
            begun.elapsed() < Duration::from_millis(300),
            "{kind:?} of {}: {:?}",
            path.display(),
            begun.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_written_without_end_is_looked_at_all_the_same() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (mut watching, kernel) = watching(file.path());
    kernel.goes_on_saying(WRITTEN, file.path());
    let begun = Instant::now();
    assert_eq!(watching.next().await.fleet.as_deref(), Some(file.path()));
    let took = begun.elapsed().as_secs();
    assert!((4..=6).contains(&took), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_called_away_again_and_again_and_loses_no_time_by_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (mut watching, kernel) = watching(file.path());
    kernel.says(WRITTEN, file.path());
    let begun = Instant::now();
    // An agent that writes a line is shown first.
    let other = Duration::from_millis(50);
    let changed = loop {
        if let Ok(changed) = timeout(other, watching.next()).await {
            break changed;
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "it never comes");
    };
    assert_eq!(changed.fleet.as_deref(), Some(file.path()));
}

#[test]
fn where_the_kernel_watches_for_nobody_more_its_limit_is_named() {
    let full = |errno: Errno| notify::Error::io(errno.into());
    let cure_of = |error| unwatched(&error).in_words().1.unwrap_or_default();
    assert!(cure_of(full(Errno::MFILE)).contains("max_user_instances"));
    assert!(!cure_of(full(Errno::ACCESS)).contains("max_user_instances"));
}
