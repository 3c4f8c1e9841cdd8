//! What a spec would come to, line by line, without asking the engine anything.

use alveary_core::{
    AgentId, AgentPlan, AgentSpec, ByteSize, Incarnation, Plans, Pull, Result, SecretDelivery,
    Signal,
};
use async_trait::async_trait;

use super::Containers;
use crate::belongings::Belonging;
use crate::engine::Engine;
use crate::plan::{
    Device, EngineRestart, ExtraHost, Gpus, Plan, PlannedHealth, PlannedMount, Planning, Port,
    Source, hands_out_the_host,
};

impl<E: Engine> Containers<E> {
    /// What is to be made, judged, and what of the swarm's own has to be there before.
    pub(super) fn planned(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        incarnation: Incarnation,
    ) -> Result<(Plan, Vec<Belonging>)> {
        let folder = self.0.secrets.folder(id, incarnation, spec);
        let planning = Planning {
            swarm: self.0.swarm,
            names: &self.0.names,
            settings: &self.0.settings,
            secrets: folder.as_deref(),
        };
        let mut plan = planning.plan(id, incarnation, spec)?;
        let needed = self.0.own.declarations.resolve(&mut plan);
        for path in needed
            .iter()
            .flat_map(|belonging| belonging.of_the_host().0)
        {
            hands_out_the_host(&path, &self.0.settings)?;
        }
        self.0.policies.judge(&plan, &needed, folder.as_deref())?;
        Ok((plan, needed))
    }
}

#[async_trait]
impl<E: Engine> Plans for Containers<E> {
    fn plan(&self, id: &AgentId, spec: &AgentSpec) -> Result<AgentPlan> {
        use alveary_core::AgentBackend;
        let plan = || {
            let mut can = self.capabilities();
            // What only the engine can say stays unsaid.
            can.engine_restarts |= self.facts().is_none();
            can.admit(spec)?;
            // No value of a secret is read for this: variables that are secrets are named beside the others.
            let mut open = spec.clone();
            open.secrets
                .retain(|_, secret| secret.delivery == SecretDelivery::File);
            let (plan, needed) = self.planned(id, &open, Incarnation::random())?;
            Ok(told(&plan, &needed, spec))
        };
        plan().map_err(|error: alveary_core::Error| error.with_agent(id))
    }

    async fn prepare(&self, id: &AgentId, spec: &AgentSpec) -> Result<()> {
        let prepared = self.prepare_start(id, spec).await;
        prepared.map_err(|error| error.with_agent(id))
    }
}

fn told(plan: &Plan, needed: &[Belonging], spec: &AgentSpec) -> AgentPlan {
    let told = AgentPlan::default()
        .with("image", &plan.image)
        .with_some("pull", pull(plan.pull))
        .with("container", &plan.name)
        .with_some("entrypoint", plan.entrypoint.as_ref())
        .with_each("command", &plan.command)
        .with_some("user", plan.user.as_ref())
        .with_some("directory", plan.workdir.as_ref());
    let told = surroundings(told, plan, needed, spec);
    let told = limits(told, plan);
    let told = security(told, plan);
    endings(told, plan)
}

fn surroundings(told: AgentPlan, plan: &Plan, needed: &[Belonging], spec: &AgentSpec) -> AgentPlan {
    let own = |name: &str| needed.iter().any(|own| own.name.as_str() == name);
    let names: Vec<&str> = plan.env.0.keys().map(String::as_str).collect();
    let mounts = plan
        .mounts
        .iter()
        .filter(|mount| mount.target != crate::plan::SECRETS);
    told.with("environment", names.join(" "))
        .with_each(
            "secret",
            spec.secrets
                .iter()
                .map(|(key, secret)| match secret.delivery {
                    SecretDelivery::Env => format!("{key} as a variable"),
                    _ => format!("{key} as a file, which {key}_FILE names"),
                }),
        )
        .with_each("mount", mounts.map(|it| mount(it, &own)))
        .with_each("tmpfs", plan.tmpfs.iter().map(|it| &it.path))
        .with_each(
            "network",
            plan.networks.iter().map(|name| {
                let whose = if own(name) { ", the swarm's own" } else { "" };
                let called = (plan.alias_in(name)).map(|alias| format!(", found by `{alias}`"));
                format!("{name}{whose}{}", called.unwrap_or_default())
            }),
        )
        .with_each("host", plan.extra_hosts.iter().map(ExtraHost::as_flag))
        .with_each("port", plan.ports.iter().map(port))
}

fn mount(mount: &PlannedMount, own: &impl Fn(&str) -> bool) -> String {
    let read_only = if mount.read_only { ", read only" } else { "" };
    let (source, whose) = match &mount.source {
        Source::Host(path) => (path, ""),
        Source::Volume(name) if own(name) => (name, ", the swarm's own volume"),
        Source::Volume(name) => (name, ", a volume"),
    };
    format!("{source} at {}{whose}{read_only}", mount.target)
}

fn port(port: &Port) -> String {
    let host = match port.host {
        Some(host) => host.to_string(),
        None => "any that is free".to_owned(),
    };
    let address = port.address.map(|address| format!(" of {address}"));
    let inside = (port.container, port.protocol);
    format!(
        "{host}{} to {}/{}",
        address.unwrap_or_default(),
        inside.0,
        inside.1
    )
}

fn limits(told: AgentPlan, plan: &Plan) -> AgentPlan {
    let limits = &plan.limits;
    told.with_some("limits.memory", limits.memory.map(ByteSize))
        .with_some("limits.cpus", limits.nano_cpus.map(cpus))
        .with_some(
            "limits.cpu_time",
            limits.cpu_seconds.map(|s| format!("{s}s")),
        )
        .with_some("limits.nofile", limits.nofile)
        .with("limits.nproc", limits.pids)
        .with_some("shm", limits.shm.map(ByteSize))
}

/// Billionths of a processor as processors, without the imprecision of a fraction.
fn cpus(nano: u64) -> String {
    let (whole, rest) = (nano / 1_000_000_000, nano % 1_000_000_000);
    let text = format!("{whole}.{rest:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn security(told: AgentPlan, plan: &Plan) -> AgentPlan {
    let security = &plan.security;
    let capabilities = match (security.privileged, security.cap_add.is_empty()) {
        (true, _) => "all".to_owned(),
        (false, true) => "none".to_owned(),
        (false, false) => security.cap_add.join(" "),
    };
    let gpus = plan.gpus.map(|gpus| match gpus {
        Gpus::All => "all".to_owned(),
        Gpus::Count(count) => count.to_string(),
    });
    told.with_some(
        "privileged",
        security
            .privileged
            .then_some("yes: it has all rights over the host"),
    )
    .with("capabilities", capabilities)
    .with(
        "new privileges",
        if security.no_new_privileges {
            "no"
        } else {
            "yes"
        },
    )
    .with("init", if security.init { "yes" } else { "no" })
    .with_some("root", security.read_only.then_some("read only"))
    .with_some("seccomp", security.seccomp.as_ref())
    .with_some("apparmor", security.apparmor.as_ref())
    .with_some("runtime", plan.runtime.as_ref())
    .with_each("device", plan.devices.iter().map(device))
    .with_some("gpus", gpus)
}

fn device(device: &Device) -> String {
    format!(
        "{} at {} ({})",
        device.outside, device.inside, device.rights
    )
}

fn endings(told: AgentPlan, plan: &Plan) -> AgentPlan {
    let signal = match plan.stop_signal {
        Some(signal) => signal.to_string(),
        None => format!("the image's signal, or {}", Signal::TERM),
    };
    let restart = match plan.restart {
        EngineRestart::No => None,
        EngineRestart::OnFailure { max } => Some(format!(
            "by the engine after a failure, {max} times at the most"
        )),
        EngineRestart::Always => Some("by the engine, always".to_owned()),
    };
    let driver = plan.log.driver.as_deref();
    told.with_some("health", plan.health.as_ref().map(health))
        .with("log", driver.unwrap_or("local (Podman: its own)"))
        .with_some("restart", restart)
        .with(
            "stop",
            format!(
                "{signal}, and KILL after {}s",
                plan.marks.grace.as_secs_f64()
            ),
        )
}

fn health(health: &PlannedHealth) -> String {
    match &health.script {
        Some(script) => format!("by {script}"),
        None => "not looked at".to_owned(),
    }
}

fn pull(pull: Pull) -> Option<&'static str> {
    match pull {
        Pull::Always => Some("before every start"),
        Pull::Never => Some("never"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn processors_are_said_as_they_were_written() {
        for (nano, text) in [
            (500_000_000, "0.5"),
            (2_000_000_000, "2"),
            (1_250_000_000, "1.25"),
        ] {
            assert_eq!(super::cpus(nano), text);
        }
    }
}
