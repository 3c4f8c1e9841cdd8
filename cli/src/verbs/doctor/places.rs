//! The places where an engine may be, and what each said.

use std::io::{self, Write};

use alveary::{EngineCandidate, Error, Fleet, Registry};

use crate::failure::without_numbers;
use crate::output::Table;

/// By the word of their backend.
pub(super) struct Places(pub(super) Vec<(&'static str, Vec<EngineCandidate>)>);

impl Places {
    /// Where an engine of this fleet's backend may be, and who is there.
    pub(super) async fn of(fleet: &Fleet) -> Result<Self, Error> {
        let found = Registry::builtin().candidates(fleet).await;
        Ok(Self(found.map_err(Error::from)?))
    }

    /// One table for each backend, and a line behind it that is empty.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (backend, candidates) in &self.0 {
            table(backend, candidates).write(out)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

fn table(backend: &'static str, candidates: &[EngineCandidate]) -> Table {
    let mut table = Table::new(&["", "ENGINE", "ADDRESS", "SAYS", "CURE"]).whole_cells(true);
    for candidate in candidates {
        let (says, cure) = match &candidate.answer {
            Ok(health) => {
                let version = health.version.as_deref().unwrap_or("it is there");
                let api = health.api.as_ref();
                let api = api.map_or_else(String::new, |api| format!(", API {api}"));
                (format!("{version}{api}"), String::new())
            }
            Err(error) => (says(error), error.cure().unwrap_or_default().to_owned()),
        };
        let star = if candidate.chosen { "*" } else { "" };
        table.row([
            star.to_owned(),
            format!("{backend}: {}", candidate.named_by),
            candidate.endpoint.clone().unwrap_or_else(|| "-".to_owned()),
            says,
            cure,
        ]);
    }
    table
}

/// What is the matter, with the words in which it was said.
pub(super) fn says(error: &Error) -> String {
    let said = match error.engine_words() {
        Some(words) => format!("{}: {}", error.message(), words.trim()),
        None => error.message().to_owned(),
    };
    without_numbers(&said)
}
