//! The keeper: a small process of its own that is the parent of a swarm's agents.
//!
//! It starts when it is needed and ends when it has nothing to keep. A program becomes one by a line in its
//! `main`: [`run_if_asked`].

mod beside;
mod handover;
pub(crate) mod run;
mod serve;
mod settings;

use std::sync::atomic::{AtomicBool, Ordering};

use settings::SETTINGS_VARIABLE;
pub(crate) use settings::Settings;

static CAN_BE_KEEPER: AtomicBool = AtomicBool::new(false);

/// Makes this program able to be its swarms' keeper: the first line of `main`, before any thread or runtime.
///
/// Started as a keeper, the program is one, and this does not return. Started by a user, this returns at
/// once; the process backend then starts this same program again when it needs a keeper. Without this line
/// the manager's own process keeps its agents: they outlive it, but how they end is then lost
/// ([`Capabilities::survives`](alveary_core::Capabilities::survives)).
///
/// ```no_run
/// alveary_process::keeper::run_if_asked();
/// // … the program, as it was before.
/// ```
pub fn run_if_asked() {
    if let Some(settings) = std::env::var_os(SETTINGS_VARIABLE) {
        std::process::exit(run::run(&settings));
    }
    CAN_BE_KEEPER.store(true, Ordering::Relaxed);
}

/// Whether this process was asked to be a keeper and went on as something else.
pub(crate) fn was_asked_in_vain() -> bool {
    std::env::var_os(SETTINGS_VARIABLE).is_some()
}

/// Whether this very program has said that it can be a keeper.
pub(crate) fn can_be_keeper() -> bool {
    CAN_BE_KEEPER.load(Ordering::Relaxed)
}
