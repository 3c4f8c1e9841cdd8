//! Tasks, as a person or a script meets them: through the program's own binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod agent;
mod alone;
mod bed;
mod beside;
mod given;
#[path = "../cli/hive.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod hive;
mod imported;
mod original;
#[path = "../cli/pty.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod pty;
mod seen;
#[cfg(feature = "top")]
mod topping;
