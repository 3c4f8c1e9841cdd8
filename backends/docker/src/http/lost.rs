//! Requests that were not answered.

use std::fmt;
use std::io;
use std::time::Duration;

use humantime::format_duration;

use crate::classify::{Class, Trouble};

pub(crate) fn no_answer(limit: Duration) -> Trouble {
    Trouble::new(
        Class::Lost,
        format!("no answer within {}", format_duration(limit)),
    )
}

/// A trouble on its way through those who only carry bytes.
#[derive(Debug)]
pub(crate) struct Carried(pub(crate) Trouble);

impl Carried {
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.words)
    }
}

impl std::error::Error for Carried {}

/// What became of a request that got no answer: nobody knows, unless a connection itself has told.
pub(crate) fn lost(error: &(dyn std::error::Error + 'static)) -> Trouble {
    let mut words = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(Carried(trouble)) = inner.and_then(|inner| inner.downcast_ref()) {
            return trouble.clone();
        }
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&error.to_string());
        next = error.source();
    }
    Trouble::new(Class::Lost, words)
}
