//! What every backend must do, one file per contract.

mod bad_input;
mod belongings;
mod bounds;
mod cancellation;
mod convergence;
mod errors;
mod exec;
mod files;
mod following;
mod identity;
mod logs;
mod lost_replies;
mod model;
mod orphans;
mod pause;
mod restarts;
mod secrets;
mod stats;
mod stopping;
mod terminal;

use crate::trial::Trial;

pub(crate) fn all() -> Vec<Trial> {
    [
        identity::trials,
        orphans::trials,
        stopping::trials,
        lost_replies::trials,
        convergence::trials,
        logs::trials,
        following::trials,
        secrets::trials,
        errors::trials,
        cancellation::trials,
        bad_input::trials,
        restarts::trials,
        bounds::trials,
        terminal::trials,
        exec::trials,
        stats::trials,
        pause::trials,
        files::trials,
        belongings::trials,
        model::trials,
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}
