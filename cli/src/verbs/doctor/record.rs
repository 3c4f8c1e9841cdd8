//! What the doctor says, as programs read it. What is here stays; keys may be added.

use alveary::{Error, Health};
use serde::Serialize;

use super::Facts;
use super::places::{Places, says};
use crate::record::SCHEMA;

#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    schema: u32,
    /// Whether agents can be run.
    well: bool,
    /// What speaks against it.
    error: Option<String>,
    cure: Option<&'a str>,
    /// What is where; nothing where no backend could be taken.
    here: Option<&'a Facts>,
    engines: Vec<Engine<'a>>,
    notes: Vec<Note<'a>>,
}

/// A place where an engine may be.
#[derive(Debug, Serialize)]
struct Engine<'a> {
    backend: &'a str,
    named_by: &'a str,
    address: Option<&'a str>,
    /// Whether it is the one that is used.
    chosen: bool,
    version: Option<&'a str>,
    api: Option<&'a str>,
    error: Option<String>,
    cure: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Note<'a> {
    what: &'a str,
    cure: Option<&'a str>,
}

impl<'a> Record<'a> {
    pub(super) fn new(
        facts: Option<&'a Facts>,
        places: &'a Places,
        health: Result<&'a Health, &'a Error>,
    ) -> Self {
        let error = health.err();
        let notes = health.map_or(&[][..], |health| &health.notes);
        Self {
            schema: SCHEMA,
            well: error.is_none(),
            error: error.map(says),
            cure: error.and_then(Error::cure),
            here: facts,
            engines: engines(places),
            notes: notes
                .iter()
                .map(|note| Note {
                    what: &note.what,
                    cure: note.cure.as_deref(),
                })
                .collect(),
        }
    }
}

fn engines(places: &Places) -> Vec<Engine<'_>> {
    let all = places.0.iter().flat_map(|(backend, candidates)| {
        candidates
            .iter()
            .map(move |candidate| (*backend, candidate))
    });
    all.map(|(backend, candidate)| {
        let health = candidate.answer.as_ref();
        let error = health.err();
        let health = health.ok();
        Engine {
            backend,
            named_by: &candidate.named_by,
            address: candidate.endpoint.as_deref(),
            chosen: candidate.chosen,
            version: health.and_then(|health| health.version.as_deref()),
            api: health.and_then(|health| health.api.as_deref()),
            error: error.map(says),
            cure: error.and_then(Error::cure),
        }
    })
    .collect()
}
