//! Networks and volumes that are a swarm's own: made with it, gone with it, and never a stranger's.

use std::collections::BTreeMap;
use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, AgentSpec, Declared, DiscardOptions, Discarded, ErrorKind, NetworkSpec,
    RemoveOptions, SpawnOptions, StopOptions, VolumeSpec,
};

use crate::behaviour::Behaviour;
use crate::harness::{Thing, Things};
use crate::need::Need;
use crate::swarm::{Swarm, refused};
use crate::trial::{Failure, Verdict, ensure, ensure_eq, trials};

trials!(Belongings:
    they_are_made_with_the_first_that_uses_them [Need::Belongings],
    networks_go_with_the_swarm_and_volumes_when_they_are_asked_for [Need::Belongings],
    what_is_in_use_stays_and_is_told [Need::Belongings],
    what_is_a_strangers_is_neither_used_nor_taken [Need::Belongings],
    what_is_external_is_used_and_left [Need::Belongings],
    a_manager_that_declares_nothing_finds_them [Need::Belongings, Need::SecondManager],
    those_of_another_swarm_are_left [Need::Belongings],
);

/// By these names agents mean them.
const NET: &str = "net";
const DATA: &str = "data";

const BOTH: [Thing; 2] = [Thing::Network, Thing::Volume];

/// A swarm with a network and a volume of its own, or of somebody else's that it may use.
struct Home<'a> {
    swarm: &'a Swarm,
    things: &'a dyn Things,
    backend: Arc<dyn AgentBackend>,
}

impl<'a> Home<'a> {
    async fn of(swarm: &'a Swarm, external: bool) -> Result<Self, Failure> {
        let Some(things) = swarm.harness().things() else {
            return Err(Failure::new("the harness looks at no networks and volumes"));
        };
        let mut network = NetworkSpec::default();
        network.name = Some(name_of(swarm, Thing::Network));
        network.external = external;
        let mut volume = VolumeSpec::default();
        volume.name = Some(name_of(swarm, Thing::Volume));
        volume.external = external;
        let declared = Declared::new(
            BTreeMap::from([(NET.to_owned(), network)]),
            BTreeMap::from([(DATA.to_owned(), volume)]),
        );
        let backend = swarm.harness().connect_with(swarm.uid(), declared).await?;
        Ok(Self {
            swarm,
            things,
            backend,
        })
    }

    fn name(&self, thing: Thing) -> String {
        name_of(self.swarm, thing)
    }

    /// One that uses both.
    fn spec(&self) -> Result<AgentSpec, Failure> {
        let mut spec = self.swarm.spec(&Behaviour::Sleep)?;
        spec.container.networks = vec![NET.to_owned()];
        let mount = format!("{DATA}:/data").parse();
        spec.container.mounts = vec![mount.map_err(|error| Failure::new(format!("{error}")))?];
        Ok(spec)
    }

    async fn spawn(&self) -> Result<AgentId, Failure> {
        let id = AgentId::random();
        let options = SpawnOptions::default();
        self.backend.spawn(&id, &self.spec()?, options).await?;
        Ok(id)
    }

    async fn end(&self, id: &AgentId) -> Verdict {
        self.backend.stop(id, StopOptions::by_force()).await?;
        let options = RemoveOptions::default();
        Ok(self.backend.remove(id, options).await?)
    }

    async fn discard(&self, volumes: bool) -> Result<Discarded, Failure> {
        discard(&*self.backend, volumes).await
    }

    async fn is_there(&self, thing: Thing) -> bool {
        self.things.is_there(thing, &self.name(thing)).await
    }

    async fn are_there(&self) -> [bool; 2] {
        [
            self.is_there(Thing::Network).await,
            self.is_there(Thing::Volume).await,
        ]
    }

    async fn strangers_make(&self, thing: Thing) {
        self.things.make(thing, &self.name(thing)).await;
    }

    /// Whatever a trial found.
    async fn clear(&self) {
        for thing in BOTH {
            self.things.take_away(thing, &self.name(thing)).await;
        }
    }
}

fn name_of(swarm: &Swarm, thing: Thing) -> String {
    let kind = match thing {
        Thing::Network => NET,
        Thing::Volume => DATA,
    };
    format!("ct-{}-{kind}", swarm.uid())
}

async fn discard(backend: &dyn AgentBackend, volumes: bool) -> Result<Discarded, Failure> {
    let Some(belongings) = backend.belongings() else {
        return Err(Failure::new("it has nothing of its swarms' own any more"));
    };
    let options = DiscardOptions::default().with_volumes(volumes);
    Ok(belongings.discard(options).await?)
}

fn names(list: &[String], name: &str) -> bool {
    list.iter().any(|listed| listed.ends_with(name))
}

async fn they_are_made_with_the_first_that_uses_them(swarm: Swarm) -> Verdict {
    let home = Home::of(&swarm, false).await?;
    ensure_eq!(home.are_there().await, [false; 2], "they are there unused");
    let agents = [home.spawn().await?, home.spawn().await?];
    ensure_eq!(home.are_there().await, [true; 2], "they are not there");
    for id in &agents {
        home.end(id).await?;
    }
    let done = home.discard(true).await?;
    ensure_eq!(done.removed.len(), 2, "of each there is one: {done:?}");
    Ok(())
}

async fn networks_go_with_the_swarm_and_volumes_when_they_are_asked_for(swarm: Swarm) -> Verdict {
    let home = Home::of(&swarm, false).await?;
    let id = home.spawn().await?;
    home.end(&id).await?;
    let done = home.discard(false).await?;
    let told = [
        names(&done.removed, &home.name(Thing::Network)),
        names(&done.kept, &home.name(Thing::Volume)),
    ];
    ensure_eq!(told, [true; 2], "it tells of {done:?}");
    ensure_eq!(home.are_there().await, [false, true], "network and volume");
    // They are made again, and the volume is the same.
    let id = home.spawn().await?;
    ensure_eq!(home.are_there().await, [true; 2], "they are not made again");
    home.end(&id).await?;
    let done = home.discard(true).await?;
    ensure!(done.left.is_empty() && done.kept.is_empty(), "{done:?}");
    ensure_eq!(home.are_there().await, [false; 2], "something is left");
    let done = home.discard(true).await?;
    ensure!(done.removed.is_empty(), "it is gone, and {done:?}");
    Ok(())
}

async fn what_is_in_use_stays_and_is_told(swarm: Swarm) -> Verdict {
    let home = Home::of(&swarm, false).await?;
    let id = home.spawn().await?;
    let done = home.discard(true).await?;
    let left: Vec<String> = done.left.iter().map(|(what, _)| what.clone()).collect();
    for thing in BOTH {
        ensure!(names(&left, &home.name(thing)), "it tells of {done:?}");
    }
    for (_, error) in &done.left {
        ensure_eq!(error.kind(), ErrorKind::Conflict, "it is told as {error}");
        ensure!(error.cure().is_some(), "without a cure: {error}");
    }
    ensure_eq!(home.are_there().await, [true; 2], "they were in use");
    home.end(&id).await?;
    home.discard(true).await?;
    ensure_eq!(home.are_there().await, [false; 2], "something is left");
    Ok(())
}

async fn what_is_a_strangers_is_neither_used_nor_taken(swarm: Swarm) -> Verdict {
    for thing in BOTH {
        let home = Home::of(&swarm, false).await?;
        home.strangers_make(thing).await;
        let id = AgentId::random();
        let options = SpawnOptions::default();
        let spawned = home.backend.spawn(&id, &home.spec()?, options).await;
        let error = refused(spawned, ErrorKind::Conflict, "the use of a stranger's");
        let done = home.discard(true).await;
        let there = home.is_there(thing).await;
        home.clear().await;
        let error = error?;
        ensure!(error.cure().is_some(), "without a cure: {error}");
        ensure!(there, "a stranger's {thing:?} was taken away: {done:?}");
        done?;
    }
    Ok(())
}

async fn what_is_external_is_used_and_left(swarm: Swarm) -> Verdict {
    let home = Home::of(&swarm, true).await?;
    for thing in BOTH {
        home.strangers_make(thing).await;
    }
    let used = async {
        let id = home.spawn().await?;
        home.end(&id).await?;
        home.discard(true).await
    };
    let done = used.await;
    let there = home.are_there().await;
    home.clear().await;
    let done = done?;
    ensure!(done.removed.is_empty(), "it tells of {done:?}");
    ensure_eq!(there, [true; 2], "what is somebody else's is gone");
    Ok(())
}

async fn a_manager_that_declares_nothing_finds_them(swarm: Swarm) -> Verdict {
    let home = Home::of(&swarm, false).await?;
    let id = home.spawn().await?;
    home.end(&id).await?;
    let done = discard(&*swarm.new_manager().await?, true).await?;
    ensure_eq!(done.removed.len(), 2, "it finds {done:?}");
    ensure_eq!(home.are_there().await, [false; 2], "something is left");
    Ok(())
}

async fn those_of_another_swarm_are_left(swarm: Swarm) -> Verdict {
    let home = Home::of(&swarm, false).await?;
    let id = home.spawn().await?;
    home.end(&id).await?;
    let other = swarm.another_swarm().await?;
    let done = discard(&**other.backend(), true).await;
    other.take_away().await?;
    let done = done?;
    ensure!(
        done.removed.is_empty() && done.kept.is_empty() && done.left.is_empty(),
        "another swarm's: {done:?}"
    );
    ensure_eq!(home.are_there().await, [true; 2], "another took them");
    home.discard(true).await?;
    Ok(())
}
