//! Looking at every place where an engine may be, for who wants to know why none is found.

use alveary_core::{EngineCandidate, Health, Operation};
use futures_util::future::join_all;

use super::{Candidate, Surroundings};
use crate::classify::{Class, Trouble};

impl Surroundings {
    /// Every place, each asked by `ask` who is there, all at once.
    pub(crate) async fn look<F>(&self, ask: impl Fn(Candidate) -> F) -> Vec<EngineCandidate>
    where
        F: Future<Output = Result<Health, Trouble>>,
    {
        let all = self.all();
        let chosen = Self::chosen(&all);
        let asked = all.into_iter().enumerate().map(|(at, candidate)| {
            let named_by = candidate.said_by.clone();
            let endpoint = candidate.endpoint.as_ref().map(ToString::to_string);
            let endpoint = endpoint.ok();
            let absent = candidate.absent().map(|why| match &candidate.endpoint {
                Ok(_) => Trouble::new(Class::Absent, why),
                Err(_) => Trouble::new(Class::Unreachable, why),
            });
            let asking = match absent {
                None => Ok(ask(candidate)),
                Some(absent) => Err(absent),
            };
            async move {
                let answer = match asking {
                    Ok(asking) => asking.await,
                    Err(absent) => Err(absent),
                };
                let answer = answer.map_err(|trouble| trouble.error(Operation::Check));
                let mut told = EngineCandidate::new(named_by, answer);
                told.endpoint = endpoint;
                told.with_chosen(chosen == Some(at))
            }
        });
        join_all(asked).await
    }
}
