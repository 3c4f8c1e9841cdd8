//! The coordinator over a real listener, as its clients meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

#[path = "http/bed.rs"]
mod bed;
#[path = "http/document.rs"]
mod document;
#[path = "http/door.rs"]
mod door;
#[path = "http/events.rs"]
mod events;
#[path = "http/hostile.rs"]
mod hostile;
#[path = "http/original.rs"]
mod original;
#[path = "http/page.rs"]
mod page;
#[path = "http/polling.rs"]
mod polling;
#[path = "http/reports.rs"]
mod reports;
#[path = "http/strangers.rs"]
mod strangers;
#[path = "http/texts.rs"]
mod texts;
#[path = "http/tokens.rs"]
mod tokens;
#[path = "http/v1.rs"]
mod v1;
#[path = "http/watch.rs"]
mod watch;
#[path = "http/with_tokens.rs"]
mod with_tokens;
