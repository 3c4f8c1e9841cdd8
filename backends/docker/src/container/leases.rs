//! Terms of the lease of a swarm, as volumes: an engine makes of one name one volume, whoever asks first, and needs no
//! image for it.

use std::collections::BTreeMap;

use alveary_core::{Leases, Operation, Result, Term};
use async_trait::async_trait;

use super::{Containers, detached, named};
use crate::belongings::{Belonging, Kind};
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Engine, Ref};
use crate::labels::{Labels, of_term, term_holder, terms_of};

impl<E: Engine> Containers<E> {
    fn term_name(&self, number: u64) -> Answer<Ref> {
        named(&format!("alveary-lease-{}-{number}", self.0.swarm))
    }

    /// The numbers of those that there are.
    async fn terms(&self) -> Answer<Vec<u64>> {
        self.meet().await?;
        let label = terms_of(self.0.swarm);
        let named = self.engine().labelled(Kind::Volume, &label).await?;
        let number = |name: &Ref| {
            let number = name.as_str().rsplit('-').next()?.parse().ok()?;
            (self.term_name(number).ok()? == *name).then_some(number)
        };
        Ok(named.iter().filter_map(number).collect())
    }

    async fn term(&self, number: u64) -> Answer<Option<Term>> {
        let name = self.term_name(number)?;
        let labels = self.engine().labels_of(Kind::Volume, &name).await?;
        let holder = labels.as_ref().map(|labels| self.holder_of_term(labels));
        // What is there without a holder is nobody's of ours, and nobody gets past it.
        Ok(holder.map(|holder| Term::new(number, holder.unwrap_or_default())))
    }

    fn holder_of_term(&self, labels: &Labels) -> Option<String> {
        term_holder(labels, self.0.swarm).map(ToOwned::to_owned)
    }

    async fn newest_term(&self) -> Answer<Option<Term>> {
        loop {
            let Some(number) = self.terms().await?.into_iter().max() else {
                return Ok(None);
            };
            // It may have been forgotten in between, for a newer one.
            if let Some(term) = self.term(number).await? {
                return Ok(Some(term));
            }
        }
    }

    async fn begin_term(&self, number: u64, holder: &str) -> Answer<Term> {
        self.meet().await?;
        let volume = Belonging {
            kind: Kind::Volume,
            name: self.term_name(number)?,
            driver: None,
            internal: false,
            options: BTreeMap::new(),
        };
        // Engines say nothing, or no, of a name that is taken: whose it is, only the volume tells.
        let made = self
            .engine()
            .make(&volume, &of_term(self.0.swarm, holder))
            .await;
        match self.term(number).await? {
            Some(term) => Ok(term),
            None => Err(made.err().unwrap_or_else(|| {
                Trouble::new(Class::Lost, "the volume that was made is not there")
            })),
        }
    }

    async fn forget_terms_before(&self, number: u64) -> Answer<()> {
        for old in self.terms().await?.into_iter().filter(|old| *old < number) {
            match self
                .engine()
                .discard(Kind::Volume, &self.term_name(old)?)
                .await
            {
                Err(trouble) if trouble.class != Class::NoVolume => return Err(trouble),
                _ => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl<E: Engine> Leases for Containers<E> {
    async fn newest(&self) -> Result<Option<Term>> {
        self.newest_term()
            .await
            .map_err(|trouble| trouble.error(Operation::List))
    }

    async fn begin(&self, number: u64, holder: &str) -> Result<Term> {
        let (us, holder) = (self.clone(), holder.to_owned());
        detached(Operation::State, async move {
            us.begin_term(number, &holder)
                .await
                .map_err(|trouble| trouble.error(Operation::State))
        })
        .await
    }

    async fn forget_before(&self, number: u64) -> Result<()> {
        self.forget_terms_before(number)
            .await
            .map_err(|trouble| trouble.error(Operation::State))
    }
}
