//! What bears this swarm's names in the engine and another swarm's uid.

use std::collections::BTreeMap;

use alveary_core::{Error, ErrorKind, Namesake, Operation, Result, SwarmUid};

use super::Containers;
use crate::classify::Trouble;
use crate::engine::{Answer, Container, Engine, Phase};
use crate::labels::{Marks, anybodys, swarm_of};

impl<E: Engine> Containers<E> {
    /// The marks of an agent of another swarm that bears the very name which one of this would have.
    pub(super) fn namesake(&self, container: &Container) -> Option<Marks> {
        let marks = Marks::from_labels(&container.labels)?;
        let names = &self.0.names;
        let bears_the_name =
            container.name == names.of(&marks.id) || container.name == names.of_next(&marks.id);
        (bears_the_name && marks.swarm != self.0.swarm).then_some(marks)
    }

    pub(crate) async fn namesakes(&self) -> Result<Vec<Namesake>> {
        let found = self.find_namesakes().await;
        found.map_err(|trouble: Trouble| trouble.error(Operation::List))
    }

    /// `Conflict`: there are agents of others that have the names of this swarm's.
    pub(super) async fn has_its_names_alone(&self) -> Result<()> {
        let found = self.find_namesakes().await;
        let found = found.map_err(|trouble| trouble.error(Operation::Spawn))?;
        let (agents, uids) = (found.iter().filter(|namesake| namesake.agents > 0)).fold(
            (0, Vec::new()),
            |(agents, mut uids), namesake| {
                uids.push(namesake.uid);
                (agents + namesake.agents, uids)
            },
        );
        match agents {
            0 => Ok(()),
            1 => Err(of_a_namesake("an agent with a name of this swarm", &uids)),
            n => Err(of_a_namesake(
                &format!("each of {n} agents with names of this swarm"),
                &uids,
            )),
        }
    }

    async fn find_namesakes(&self) -> Answer<Vec<Namesake>> {
        let mut found: BTreeMap<SwarmUid, Namesake> = BTreeMap::new();
        for container in self
            .engine()
            .list(anybodys(), self.0.names.beginning())
            .await?
        {
            let Some(marks) = self.namesake(&container) else {
                continue;
            };
            let uid = marks.swarm;
            let namesake = found.entry(uid).or_insert_with(|| Namesake::new(uid));
            namesake.agents += 1;
            if !matches!(
                container.phase,
                Phase::Ended | Phase::Created | Phase::Removing
            ) {
                namesake.living += 1;
            }
        }
        for belonging in self.0.own.declarations.own() {
            let labels = self
                .engine()
                .labels_of(belonging.kind, &belonging.name)
                .await?;
            if let Some(uid) = labels.as_ref().and_then(swarm_of)
                && uid != self.0.swarm
            {
                let namesake = found.entry(uid).or_insert_with(|| Namesake::new(uid));
                namesake.belongings.push(belonging.to_string());
            }
        }
        Ok(found.into_values().collect())
    }
}

/// What is there is of a swarm that has the same names: mostly this very one, before its state was lost.
pub(super) fn of_a_namesake(what: &str, uids: &[SwarmUid]) -> Error {
    let uids: Vec<String> = uids.iter().map(ToString::to_string).collect();
    Error::new(
        ErrorKind::Conflict,
        Operation::Spawn,
        format!("{what} is there already and of another uid: {}", uids.join(", ")),
    )
    .with_cure(
        "if that is this swarm, whose state folder was lost, take it over by `alveary up --adopt`; if it is another's, \
         set another `name_prefix` in the backend's settings, or give this swarm another name",
    )
}
