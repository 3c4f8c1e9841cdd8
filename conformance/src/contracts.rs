//! What every backend must do, one file per contract.

mod identity;
mod stopping;

use crate::trial::Trial;

pub(crate) fn all() -> Vec<Trial> {
    [identity::trials, stopping::trials]
        .into_iter()
        .flat_map(|trials| trials())
        .collect()
}
