//! Taking over what bears a swarm's names in its engine under another uid: the swarm itself, mostly, before its state
//! folder was lost.

use std::time::Duration;

use alveary_core::{
    AgentBackend, DiscardOptions, Error, ErrorKind, ListOptions, Namesake, Operation, Result,
    SwarmUid,
};
use tokio::time::Instant;

use super::{OpenOptions, root_of};
use crate::config::Fleet;
use crate::state::{Folder, Journal, Lease, Patience, RENEWED, SwarmRecord, swarms_in, whose};

/// How often one looks whether somebody elsewhere keeps a lease.
const LOOK: Duration = Duration::from_millis(500);

/// What is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Adopt {
    #[default]
    Nothing,
    /// Whatever there is, if it is of one swarm.
    Any,
    /// What is of this one.
    From(SwarmUid),
}

fn refused(message: String, cure: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, Operation::State, message).with_cure(cure)
}

impl OpenOptions {
    /// Has the swarm go by the uid of what bears its names. `None`: there is nothing to take over.
    pub(super) async fn take_over(
        &self,
        fleet: &Fleet,
        folder: &Folder,
        journal: &mut Journal,
        record: &SwarmRecord,
    ) -> Result<Option<Namesake>> {
        let wanted = match self.adopt {
            Adopt::Nothing => return Ok(None),
            Adopt::From(uid) if uid == record.uid => return Ok(None),
            Adopt::From(uid) => Some(uid),
            Adopt::Any => None,
        };
        let mut prepared = self.registry.prepare(fleet)?;
        let settled = self.settled(fleet, journal, record);
        if let Some(word) = &settled {
            prepared = self.registry.settled(fleet, word)?;
        }
        let ours = prepared
            .connect(|word| self.context(fleet, record.uid, folder, word))
            .await?;
        let word = match &ours.auto {
            Some(auto) => auto.taken,
            None => settled.as_deref().unwrap_or(fleet.backend.as_str()),
        };
        let context = self.context(fleet, record.uid, folder, word)?;
        let found = self.registry.namesakes(fleet, word, context).await?;
        let Some(namesake) = chosen(found, wanted)? else {
            return Ok(None);
        };
        let uid = namesake.uid;
        is_no_others_here(fleet, uid)?;
        if let Some(holder) = Lease::holder(folder.path())? {
            return Err(refused(
                format!("process {} restarts the agents of this swarm", holder.pid),
                "end it by `alveary down`, and take over what there is then",
            ));
        }
        let theirs = self.registry.settled(fleet, word)?;
        let theirs = theirs
            .connect(|word| self.context(fleet, uid, folder, word))
            .await?;
        nobody_elsewhere_has_it(&*theirs.backend, uid).await?;
        has_nothing_of_its_own(&*ours.backend, uid).await?;
        let mut patience = Patience::new();
        while !journal.try_adopt(folder, uid)? {
            patience.pause(journal.lock_path()).await?;
        }
        Ok(Some(namesake))
    }
}

/// The one that is meant.
fn chosen(mut found: Vec<Namesake>, wanted: Option<SwarmUid>) -> Result<Option<Namesake>> {
    let all: Vec<String> = found.iter().map(in_words).collect();
    let all = all.join("; ");
    match wanted {
        None if found.len() < 2 => return Ok(found.pop()),
        None => {
            return Err(refused(
                format!("this swarm's names are borne by what is of several others: {all}"),
                "say whose is to be taken over, as `alveary up --adopt=UID`",
            ));
        }
        Some(uid) => {
            found.retain(|namesake| namesake.uid == uid);
            if found.is_empty() {
                let others = if all.is_empty() {
                    "nothing else does either".to_owned()
                } else {
                    format!("name one that does: {all}")
                };
                return Err(Error::new(
                    ErrorKind::NotFound,
                    Operation::State,
                    format!("nothing of the uid {uid} bears this swarm's names"),
                )
                .with_cure(others));
            }
        }
    }
    Ok(found.pop())
}

/// What there is of it, for people.
fn in_words(namesake: &Namesake) -> String {
    let agents = match namesake.agents {
        1 => "1 agent".to_owned(),
        n => format!("{n} agents"),
    };
    let running = format!("{} of them running", namesake.living);
    let belongings = namesake.belongings.iter().cloned();
    let there: Vec<String> = [agents, running].into_iter().chain(belongings).collect();
    format!("{} ({})", namesake.uid, there.join(", "))
}

/// A swarm whose state is there needs nobody to take it over.
fn is_no_others_here(fleet: &Fleet, uid: SwarmUid) -> Result<()> {
    let root = root_of(fleet)?;
    for name in swarms_in(&root)? {
        let Some(folder) = Folder::existing(&root, &name)? else {
            continue;
        };
        // What cannot be read says nothing of whose it is.
        if SwarmRecord::read(&folder).is_ok_and(|record| record.is_some_and(|r| r.uid == uid)) {
            return Err(refused(
                format!(
                    "{uid} is the swarm `{name}`, whose state is in {}",
                    folder.path().display()
                ),
                format!("use that one by `--swarm {name}`, or give this one another `name_prefix`"),
            ));
        }
    }
    Ok(())
}

/// Where several hosts reach the engine, whoever restarts those agents says so there every few seconds.
async fn nobody_elsewhere_has_it(theirs: &dyn AgentBackend, uid: SwarmUid) -> Result<()> {
    let Some(leases) = theirs.leases() else {
        return Ok(());
    };
    let Some(first) = leases.newest().await? else {
        return Ok(());
    };
    let until = Instant::now() + 2 * RENEWED;
    while Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        if let Some(newest) = leases.newest().await?
            && newest != first
        {
            return Err(refused(
                format!("{} restarts the agents of {uid}", whose(&newest)),
                "use the swarm there, or end it there by `alveary down`",
            ));
        }
    }
    Ok(())
}

/// One swarm has one uid: what is there under its present one would be nobody's.
async fn has_nothing_of_its_own(ours: &dyn AgentBackend, uid: SwarmUid) -> Result<()> {
    let there = ours.list(ListOptions::default()).await?;
    if !there.is_empty() {
        return Err(refused(
            format!(
                "this swarm has agents of its own in the engine ({}), and cannot take over those of {uid} beside them",
                there.len()
            ),
            "remove them by `alveary down`, which leaves the others alone, and then say `alveary up --adopt`",
        ));
    }
    let Some(belongings) = ours.belongings() else {
        return Ok(());
    };
    let discarded = belongings.discard(DiscardOptions::default()).await?;
    if let Some((what, error)) = discarded.left.into_iter().next() {
        return Err(refused(
            format!("the {what} of this swarm's own stands in the way"),
            format!(
                "{}, and then say `alveary up --adopt`",
                error.cure().unwrap_or("remove it")
            ),
        ));
    }
    if !discarded.kept.is_empty() {
        return Err(refused(
            format!(
                "this swarm has volumes of its own ({}), which nobody would have after it took over what is of {uid}",
                discarded.kept.join(", ")
            ),
            "save what is in them, remove them by `alveary down --volumes`, and then say `alveary up --adopt`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namesakes(count: usize) -> Vec<Namesake> {
        (0..count)
            .map(|_| Namesake::new(SwarmUid::random()))
            .collect()
    }

    #[test]
    fn the_only_one_need_not_be_named_and_of_several_one_has_to_be() {
        assert_eq!(chosen(Vec::new(), None).unwrap(), None);
        let one = namesakes(1);
        assert_eq!(chosen(one.clone(), None).unwrap(), one.into_iter().next());
        let two = namesakes(2);
        let error = chosen(two.clone(), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        for namesake in &two {
            assert!(
                error.to_string().contains(&namesake.uid.to_string()),
                "{error}"
            );
        }
        let named = chosen(two.clone(), Some(two[1].uid)).unwrap();
        assert_eq!(named.as_ref(), two.get(1));
        let error = chosen(two, Some(SwarmUid::random())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
