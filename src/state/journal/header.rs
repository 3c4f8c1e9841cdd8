//! The first line of a journal: whose it is.

use std::path::Path;

use alveary_core::{Error, ErrorKind, Incarnation, Operation, Result, SwarmUid};
use serde::{Deserialize, Serialize};

const SCHEMA: u32 = 1;

/// What the first line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    schema: u32,
    pub(super) uid: SwarmUid,
    /// One life of the swarm, from its first member to `down`.
    pub(super) life: Incarnation,
    /// The word of the backend that runs the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) backend: Option<String>,
    /// How much stood behind this line when the journal was written anew: by what has come since, also a process
    /// that writes one line and ends sees when that is worth doing again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) base: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Header {
    pub(super) fn new(
        uid: SwarmUid,
        life: Incarnation,
        backend: Option<String>,
        base: u64,
    ) -> Self {
        Self {
            schema: SCHEMA,
            uid,
            life,
            backend,
            base,
        }
    }

    /// The header in this line; `None` where it holds something else.
    pub(super) fn read(line: &[u8], path: &Path) -> Result<Option<Self>> {
        match serde_json::from_slice::<Self>(line) {
            Ok(header) if header.schema > SCHEMA => Err(newer(path, header.schema)),
            Ok(header) => Ok(Some(header)),
            Err(_) => Ok(None),
        }
    }
}

fn newer(path: &Path, schema: u32) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        Operation::State,
        format!(
            "{} was written by a newer alveary, in form {schema}",
            path.display()
        ),
    )
    .with_cure("use that version, or take the swarm down with it first")
}
