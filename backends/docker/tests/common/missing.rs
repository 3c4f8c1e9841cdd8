//! A trial for which something is not there: listed as ignored with the cure, and in CI a failure.

use libtest_mimic::{Completion, Failed};

pub(crate) fn without(cure: impl Into<String>) -> Result<Completion, Failed> {
    let cure = cure.into();
    if crate::common::in_ci() {
        Err(cure.into())
    } else {
        Ok(Completion::ignored_with(cure))
    }
}
