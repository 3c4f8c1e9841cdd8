//! The coordinator over a real listener, as its clients meet it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    clippy::large_futures,
    clippy::assigning_clones,
    clippy::duration_suboptimal_units,
    reason = "a test that cannot go on ends there"
)]
#![cfg(feature = "http")]

#[path = "http/bed.rs"]
mod bed;
#[path = "http/door.rs"]
mod door;
#[path = "http/events.rs"]
mod events;
#[path = "http/original.rs"]
mod original;
#[path = "http/page.rs"]
mod page;
#[path = "http/v1.rs"]
mod v1;
#[path = "http/watch.rs"]
mod watch;
