//! Networks and volumes that are the swarm's own: there before the first agent that uses them, and gone with the
//! swarm.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use alveary_core::{
    AgentId, AgentSpec, Belongings, DiscardOptions, Discarded, Error, ErrorKind, Escaped,
    HostAddress, Incarnation, Operation, Result,
};
use async_trait::async_trait;

use super::namesakes::of_a_namesake;
use super::{Containers, detached, named};
use crate::belongings::{Belonging, Declarations, Kind};
use crate::classify::{Class, Trouble};
use crate::engine::{Engine, EngineFacts, Ref};
use crate::labels::{is_of_swarm, of_belonging, of_swarm, swarm_of};
use crate::plan::{ExtraHost, Plan};

/// What the fleet declares, and what of it was seen to be there.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) declarations: Declarations,
    there: Mutex<HashSet<(Kind, Ref)>>,
    /// Engines of old make two networks of one name where two ask at once.
    making: tokio::sync::Mutex<()>,
}

impl Own {
    pub(super) fn new(declarations: Declarations) -> Self {
        Self {
            declarations,
            there: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    fn is_there(&self, belonging: &Belonging) -> bool {
        let there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        there.contains(&(belonging.kind, belonging.name.clone()))
    }

    fn seen(&self, belonging: &Belonging) {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        there.insert((belonging.kind, belonging.name.clone()));
    }

    /// Somebody may have taken them away: the next start looks again.
    pub(super) fn doubt(&self) {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        there.clear();
    }
}

impl<E: Engine> Containers<E> {
    /// Sees to it that these are there, and are ours.
    ///
    /// `Conflict`: somebody else has one of the names.
    pub(super) async fn furnish(&self, needed: &[Belonging]) -> Result<()> {
        for belonging in needed {
            if self.0.own.is_there(belonging) {
                continue;
            }
            let _turn = self.0.own.making.lock().await;
            if !self.is_ours(belonging).await? {
                let labels = of_belonging(self.0.swarm);
                let made = self.engine().make(belonging, &labels).await;
                // Whatever was said: another process may have made it meanwhile, and volumes are made of names
                // that are taken. What is there now is what counts.
                if !self.is_ours(belonging).await? {
                    let silent = || Trouble::new(Class::Other, "it made it, and has it not");
                    return Err(about(belonging, made.err().unwrap_or_else(silent)));
                }
            }
            self.0.own.seen(belonging);
        }
        Ok(())
    }

    /// Whether it is there. `Conflict`: it is there, and not ours.
    async fn is_ours(&self, belonging: &Belonging) -> Result<bool> {
        let labels = self
            .engine()
            .labels_of(belonging.kind, &belonging.name)
            .await
            .map_err(|trouble| about(belonging, trouble))?;
        match labels {
            None => Ok(false),
            Some(labels) if is_of_swarm(&labels, self.0.swarm) => Ok(true),
            Some(labels) if let Some(uid) = swarm_of(&labels) => {
                Err(of_a_namesake(&format!("the {belonging}"), &[uid]))
            }
            Some(_) => Err(Error::new(
                ErrorKind::Conflict,
                Operation::Spawn,
                format!("the {belonging} is there and not this swarm's"),
            )
            .with_cure(format!(
                "say `external = true` in `[{kind}s.…]` to use it, give the swarm's own another `name`, or remove it by `docker {kind} rm`",
                kind = belonging.kind
            ))),
        }
    }

    async fn gateway(&self, spec: &AgentSpec) -> Result<HostAddress> {
        let asked = |trouble: Trouble| trouble.error(Operation::Inspect);
        // No value of a secret is read for this.
        let mut open = spec.clone();
        open.secrets.clear();
        let (plan, mut needed) = self.planned(&AgentId::random(), &open, Incarnation::random())?;
        let podman = self.learn().await.map_err(asked)?.podman;
        let settled = self.settle().await;
        settled.map_err(|error| error.with_operation(Operation::Inspect))?;
        if !self.engine().is_local() {
            return Err(unreachable_host("the engine is on another machine"));
        }
        needed.retain(|belonging| belonging.kind == Kind::Network);
        self.furnish(&needed).await?;
        self.gateway_in(&plan, podman).await
    }

    /// Puts an address in place of `host-gateway` where the engine would take that for one.
    pub(super) async fn say_where_the_host_is(&self, plan: &mut Plan) -> Result<()> {
        let knows = self.facts().is_none_or(EngineFacts::knows_host_gateway);
        if knows || !plan.extra_hosts.iter().any(ExtraHost::is_gateway) {
            return Ok(());
        }
        // A rootless Podman's networks end in a namespace of their own, and not at its host.
        if !(self.engine().is_local() && rustix::process::geteuid().is_root()) {
            return Err(Trouble::new(Class::NoGateway, "").error(Operation::Spawn));
        }
        let host_address = self.gateway_in(plan, true).await;
        let host_address = host_address.map_err(|error| error.with_operation(Operation::Spawn))?;
        for host in plan.extra_hosts.iter_mut().filter(|host| host.is_gateway()) {
            host.address = host_address.address.to_string();
        }
        Ok(())
    }

    /// The host's address in the first of its networks.
    async fn gateway_in(&self, plan: &Plan, podman: bool) -> Result<HostAddress> {
        let asked = |trouble: Trouble| trouble.error(Operation::Inspect);
        let usual = if podman { "podman" } else { "bridge" };
        let name = plan.networks.first().map_or(usual, String::as_str);
        if name == "host" {
            return Ok(HostAddress::loopback());
        }
        if name == "none" || name.starts_with("container:") {
            return Err(unreachable_host(format!("its network is `{name}`")));
        }
        let network = self.engine().network(&named(name).map_err(asked)?).await;
        let Some(network) = network.map_err(asked)? else {
            return Err(Trouble::new(Class::NoNetwork, name).error(Operation::Inspect));
        };
        if network.driver != "bridge" {
            let driver = Escaped(&network.driver);
            return Err(unreachable_host(format!(
                "its network `{name}` is of the driver `{driver}`, which has no gateway on this host"
            )));
        }
        (network.gateways.first().copied())
            .ok_or_else(|| unreachable_host(format!("its network `{name}` has no gateway")))
    }

    async fn take_belongings(&self, options: DiscardOptions) -> Result<Discarded> {
        let met = self.meet().await;
        met.map_err(|trouble| trouble.error(Operation::Remove))?;
        let label = of_swarm(self.0.swarm);
        let mut done = Discarded::default();
        for kind in [Kind::Network, Kind::Volume] {
            let found = self.engine().labelled(kind, &label).await;
            let found = found.map_err(|trouble| trouble.error(Operation::Remove))?;
            for name in found {
                let shown = format!("{kind} {}", name.as_str());
                if kind == Kind::Volume && !options.volumes {
                    done.kept.push(shown);
                    continue;
                }
                match self.engine().discard(kind, &name).await {
                    Ok(()) => done.removed.push(shown),
                    // Somebody else has removed it.
                    Err(trouble) if matches!(trouble.class, Class::NoNetwork | Class::NoVolume) => {
                    }
                    Err(trouble) => done.left.push((shown, left(kind, trouble))),
                }
            }
        }
        self.0.own.doubt();
        if done.left.is_empty() {
            self.leave();
        }
        Ok(done)
    }
}

fn about(belonging: &Belonging, trouble: Trouble) -> Error {
    if matches!(
        trouble.class,
        Class::Other | Class::BadRequest | Class::Refused
    ) {
        return Error::new(
            ErrorKind::Engine,
            Operation::Spawn,
            format!("the engine does not make the {belonging}"),
        )
        .with_engine_words(trouble.words)
        .with_cure(
            "correct its table in the fleet file, or make it yourself and say `external = true`",
        );
    }
    trouble.error(Operation::Spawn)
}

/// Whatever status it has: of a network that is in use an engine says that it is forbidden to remove it.
const IN_USE: [&str; 3] = ["active endpoints", "in use", "being used"];

fn left(kind: Kind, trouble: Trouble) -> Error {
    let words = trouble.words.to_lowercase();
    if !IN_USE.iter().any(|said| words.contains(said)) {
        return trouble.error(Operation::Remove);
    }
    Error::new(
        ErrorKind::Conflict,
        Operation::Remove,
        format!("somebody else uses the {kind}"),
    )
    .with_engine_words(trouble.words)
    .with_cure("end what uses it, and take the swarm down once more")
}

fn unreachable_host(why: impl std::fmt::Display) -> Error {
    Error::unsupported(
        Operation::Inspect,
        format!("an agent in a container reaches nothing on this host: {why}"),
        "give it a network of the driver `bridge` in `container.networks`, on an engine of this machine",
    )
}

#[async_trait]
impl<E: Engine> Belongings for Containers<E> {
    async fn discard(&self, options: DiscardOptions) -> Result<Discarded> {
        let this = self.clone();
        detached(Operation::Remove, async move {
            this.take_belongings(options).await
        })
        .await
    }

    async fn host_address(&self, spec: &AgentSpec) -> Result<HostAddress> {
        let this = self.clone();
        let spec = spec.clone();
        detached(Operation::Inspect, async move { this.gateway(&spec).await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_removed_is_in_use_only_where_the_engine_says_so() {
        let kind = |status, words: &str| left(Kind::Network, Trouble::said(status, words)).kind();
        for (status, words) in [
            (
                Some(403),
                "error while removing network: network net id 4f1e has active endpoints",
            ),
            (Some(409), "remove data: volume is in use - [4f1e]"),
            (
                None,
                "Error: \"net\" has associated containers with it. Use -f to forcefully delete containers and pods: network is being used",
            ),
        ] {
            assert_eq!(kind(status, words), ErrorKind::Conflict, "{words}");
        }
        assert_eq!(kind(Some(500), "<html>"), ErrorKind::Engine);
        assert_eq!(
            kind(Some(403), "authorization denied by plugin"),
            ErrorKind::PermissionDenied
        );
    }
}
