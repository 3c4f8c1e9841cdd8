//! What a host's administrator and its user let agents be given, whatever a fleet file asks for.
//!
//! Judged is what would really be made: placeholders are filled in by then, and `..` is gone.

mod file;
mod rules;

use std::path::PathBuf;

use alveary_core::{Error, ErrorKind, Escaped, Operation, Result};

use crate::belongings::Belonging;
use crate::plan::Plan;
use rules::Rules;

/// All policies that hold here. Each of them has to allow what is made, so that the stricter wins.
#[derive(Debug, Default)]
pub(crate) struct Policies(Vec<Policy>);

/// What one file says.
#[derive(Debug)]
struct Policy {
    file: PathBuf,
    rules: Rules,
}

/// What a policy does not allow.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    what: String,
    /// The key that would allow it.
    key: &'static str,
}

impl Policies {
    /// Those of this host and of this user. A file that cannot be relied on is refused, not ignored.
    pub(crate) fn of_this_host() -> Result<Self> {
        file::all().map(Self)
    }

    /// `needed` is what is made for it before; `own` is the folder of the host that the backend itself mounts, for the
    /// agent's secrets.
    ///
    /// `PermissionDenied`: a policy does not allow what the plan has.
    pub(crate) fn judge(&self, plan: &Plan, needed: &[Belonging], own: Option<&str>) -> Result<()> {
        self.0.iter().try_for_each(|policy| {
            policy
                .rules
                .judge(plan, needed, own)
                .map_err(|refusal| policy.refuse(&refusal))
        })
    }
}

impl Policy {
    fn refuse(&self, Refusal { what, key }: &Refusal) -> Error {
        let file = self.file.to_string_lossy();
        let file = Escaped(&file);
        Error::new(
            ErrorKind::PermissionDenied,
            Operation::Spawn,
            format!("the policy {file} does not allow {what}"),
        )
        .with_cure(format!(
            "ask for what it allows, or have whoever keeps it add this to `{key}` of its table `[containers]`"
        ))
    }
}

#[cfg(test)]
mod tests;
