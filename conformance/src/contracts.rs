//! What every backend must do, one file per contract.

mod convergence;
mod following;
mod identity;
mod logs;
mod lost_replies;
mod orphans;
mod stopping;

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
    ]
    .into_iter()
    .flat_map(|trials| trials())
    .collect()
}
