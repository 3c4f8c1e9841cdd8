//! A value that must not be heard of, and an ear for all that is traced and logged in this process.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use crate::trial::Failure;

/// Values that must not be heard of, and where they were.
static CANARIES: Mutex<Vec<(String, Vec<String>)>> = Mutex::new(Vec::new());
static LISTENED_FOR: AtomicUsize = AtomicUsize::new(0);
static LISTEN: Once = Once::new();

fn canaries() -> MutexGuard<'static, Vec<(String, Vec<String>)>> {
    CANARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value that must not be heard of: random, so that nothing else in the process says it.
///
/// While it lives, every span, event and log record of every library here is searched for it. Where the test
/// program has set a subscriber of its own before, that one hears them and this does not.
pub(crate) struct Canary(String);

impl Canary {
    pub(crate) fn new() -> Self {
        LISTEN.call_once(|| {
            // Another one may have been set before: then that one hears, and not we.
            let _ = tracing::subscriber::set_global_default(Ear);
            if log::set_logger(&Ear).is_ok() {
                log::set_max_level(log::LevelFilter::Trace);
            }
        });
        let value = format!("canary-{:016x}", fastrand::u64(..));
        canaries().push((value.clone(), Vec::new()));
        LISTENED_FOR.fetch_add(1, Ordering::SeqCst);
        Self(value)
    }

    pub(crate) fn value(&self) -> &str {
        &self.0
    }

    /// Fails if the value stands in `text`.
    pub(crate) fn is_not_in(&self, what: &str, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        let found = text
            .as_ref()
            .windows(self.0.len())
            .any(|part| part == self.0.as_bytes());
        if found {
            return Err(Failure::new(format!("the value stands in {what}")));
        }
        Ok(())
    }

    /// Fails if the value is an argument of anything that runs here, as far as the system tells (by `/proc`).
    pub(crate) fn is_in_no_arguments_of_this_host(&self) -> Result<(), Failure> {
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return Ok(());
        };
        for process in processes.flatten() {
            // Others' end meanwhile.
            let Ok(argv) = std::fs::read(process.path().join("cmdline")) else {
                continue;
            };
            let whose = format!("the arguments of process {}", process.file_name().display());
            self.is_not_in(&whose, argv)?;
        }
        Ok(())
    }

    /// Fails if the value was traced or logged.
    pub(crate) fn was_not_heard(&self) -> Result<(), Failure> {
        let canaries = canaries();
        let heard = canaries.iter().find(|(value, _)| *value == self.0);
        match heard.and_then(|(_, places)| places.first()) {
            Some(place) => Err(Failure::new(format!("the value was traced: {place}"))),
            None => Ok(()),
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        canaries().retain(|(value, _)| *value != self.0);
        LISTENED_FOR.fetch_sub(1, Ordering::SeqCst);
    }
}

fn somebody_listens() -> bool {
    LISTENED_FOR.load(Ordering::Relaxed) > 0
}

fn hear(place: impl Fn() -> String, text: &str) {
    for (value, places) in canaries().iter_mut() {
        if text.contains(value.as_str()) {
            places.push(place());
        }
    }
}

struct Ear;

/// The fields of one span or event as one text.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{field}={value:?} ");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{field}={value} ");
    }
}

fn place_of(metadata: &Metadata<'_>) -> String {
    format!("{} in {}", metadata.name(), metadata.target())
}

impl Subscriber for Ear {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        // Asked each time: whether somebody listens changes.
        Interest::sometimes()
    }

    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        somebody_listens()
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut text = Text::default();
        attributes.record(&mut text);
        hear(|| place_of(attributes.metadata()), &text.0);
        span::Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &span::Id, values: &span::Record<'_>) {
        let mut text = Text::default();
        values.record(&mut text);
        hear(|| "a span's later fields".to_owned(), &text.0);
    }

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        hear(|| place_of(event.metadata()), &text.0);
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

impl log::Log for Ear {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        somebody_listens()
    }

    fn log(&self, record: &log::Record<'_>) {
        if somebody_listens() {
            hear(|| record.target().to_owned(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_traced_or_logged_is_heard() {
        let (traced, logged, quiet) = (Canary::new(), Canary::new(), Canary::new());
        tracing::trace!(value = traced.value(), "an event");
        log::trace!("a record of {}", logged.value());
        assert!(traced.was_not_heard().is_err());
        assert!(logged.was_not_heard().is_err());
        assert!(quiet.was_not_heard().is_ok());
    }

    #[test]
    fn a_spans_fields_are_heard_also_those_that_come_later() {
        let (early, late) = (Canary::new(), Canary::new());
        let span = tracing::info_span!("call", early = early.value(), late = tracing::field::Empty);
        span.record("late", format!("{:?}", late.value()));
        assert!(early.was_not_heard().is_err());
        assert!(late.was_not_heard().is_err());
    }
}
