//! The way by a program: `docker`, or `podman`.

mod archive;
mod lines;
mod render;
mod run;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{AgentBackend, BackendConfig, ConnectContext, LogStreamKind, Result, Signal};
use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::classify::{Class, Trouble};
use crate::config::{Settings, Timeouts};
use crate::container::Containers;
use crate::engine::{
    Answer, Container, Engine, EngineFacts, Happening, Inside, LogEntry, LogQuery, Ref,
};
use crate::find::Surroundings;
use crate::plan::Plan;
use crate::wire::{Inspected, Told};
use run::{Input, Program};

/// The settings of the backend that runs a program: the table `[backends.docker-cli]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DockerCliConfig(pub Settings);

#[async_trait]
impl BackendConfig for DockerCliConfig {
    const NAME: &'static str = "docker-cli";
    const FAMILY: &'static str = crate::config::FAMILY;

    async fn connect(self, context: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        let engine = Cli::new(&self.0);
        Ok(Arc::new(Containers::new(engine, self.0, &context)?))
    }
}

/// An engine, by its program.
struct Cli {
    program: Program,
    facts: OnceCell<EngineFacts>,
    local: bool,
    timeouts: Timeouts,
}

/// So many containers are asked for by one call of the program.
const AT_ONCE: usize = 500;

impl Cli {
    fn new(settings: &Settings) -> Self {
        let path = settings
            .program
            .clone()
            .unwrap_or_else(|| "docker".to_owned());
        let surroundings = Surroundings::of_this_process(settings.host.clone());
        let endpoint = surroundings.choose();
        Self {
            // What is not found here may be found by the program; then it is no engine of another host.
            local: endpoint.map_or(true, |endpoint| endpoint.is_local()),
            program: Program::new(path, settings.host.clone()),
            facts: OnceCell::new(),
            timeouts: settings.timeout.clone(),
        }
    }

    async fn known(&self) -> Answer<&EngineFacts> {
        self.facts.get_or_try_init(|| self.ask_facts()).await
    }

    async fn ask_facts(&self) -> Answer<EngineFacts> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Version {
            #[serde(default)]
            server: Option<Side>,
            client: Option<Side>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Side {
            version: String,
            #[serde(default)]
            components: Option<Vec<Component>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Component {
            name: String,
        }
        let args = ["version", "--format", "{{json .}}"];
        let told = self
            .program
            .run(&args, Input::none(), self.timeouts.ask)
            .await?;
        let told: Version = serde_json::from_slice(&told).map_err(|error| {
            Trouble::new(
                Class::Version,
                format!("it tells its version in words unknown here: {error}"),
            )
        })?;
        let side = told.server.or(told.client);
        let Some(side) = side else {
            return Err(Trouble::new(
                Class::Unreachable,
                "the program tells of no engine",
            ));
        };
        let is_podman = |component: &Component| component.name.to_lowercase().contains("podman");
        let podman =
            self.program.is_podman() || side.components.unwrap_or_default().iter().any(is_podman);
        Ok(EngineFacts {
            version: side.version,
            podman,
        })
    }

    /// What the program prints of these; those that are gone are left out.
    async fn look_at(&self, ids: &[&str]) -> Answer<Vec<Container>> {
        let mut args = vec!["container", "inspect"];
        args.extend(ids);
        let text = match self
            .program
            .output(&args, Input::none(), self.timeouts.ask)
            .await?
        {
            output if output.succeeded => output.stdout,
            // The others are printed all the same.
            output if output.trouble().class == Class::NoContainer => output.stdout,
            output => return Err(output.trouble()),
        };
        let found: Vec<Inspected> = serde_json::from_slice(&text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Trouble::new(
                Class::Lost,
                format!("what it prints breaks off or is no JSON at {place}"),
            )
        })?;
        Ok(found
            .into_iter()
            .filter_map(Inspected::into_container)
            .collect())
    }

    async fn simply(&self, args: &[&str], limit: Duration) -> Answer<()> {
        self.program.run(args, Input::none(), limit).await?;
        Ok(())
    }
}

#[async_trait]
impl Engine for Cli {
    const KIND: &'static str = DockerCliConfig::NAME;

    fn is_local(&self) -> bool {
        self.local
    }

    async fn facts(&self) -> Answer<EngineFacts> {
        self.known().await.cloned()
    }

    async fn create(&self, name: &Ref, plan: &Plan) -> Answer<Ref> {
        let podman = self.known().await?.podman;
        let create = render::create(name, plan, podman)?;
        let args: Vec<&str> = create.args.iter().map(String::as_str).collect();
        let printed = self
            .program
            .run(&args, create.input, self.timeouts.start)
            .await?;
        let id = String::from_utf8_lossy(&printed);
        Ref::new(id.trim())
            .ok_or_else(|| Trouble::new(Class::Lost, "it printed something else than an id"))
    }

    async fn connect(&self, container: &Ref, network: &str) -> Answer<()> {
        let args = ["network", "connect", "--", network, container.as_str()];
        self.simply(&args, self.timeouts.start).await
    }

    async fn start(&self, container: &Ref) -> Answer<()> {
        self.simply(&["start", container.as_str()], self.timeouts.start)
            .await
    }

    async fn inspect(&self, which: &Ref) -> Answer<Option<Container>> {
        Ok(self.look_at(&[which.as_str()]).await?.pop())
    }

    async fn list(&self, label: &str) -> Answer<Vec<Container>> {
        let filter = format!("label={label}");
        let args = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter];
        let printed = self
            .program
            .run(&args, Input::none(), self.timeouts.ask)
            .await?;
        let text = String::from_utf8_lossy(&printed);
        let ids: Vec<Ref> = text
            .lines()
            .filter_map(|line| Ref::new(line.trim()))
            .collect();
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            let some: Vec<&str> = some.iter().map(Ref::as_str).collect();
            found.extend(self.look_at(&some).await?);
        }
        Ok(found)
    }

    async fn kill(&self, container: &Ref, signal: Signal) -> Answer<()> {
        let signal = signal.number().to_string();
        let args = ["kill", "--signal", &signal, container.as_str()];
        self.simply(&args, self.timeouts.ask).await
    }

    async fn until_ended(&self, container: &Ref, patience: Duration) {
        let waited = self.simply(&["wait", container.as_str()], patience).await;
        if let Err(trouble) = waited {
            tracing::trace!(words = %trouble.words, "the waiting broke off");
        }
    }

    async fn remove(&self, which: &Ref, force: bool) -> Answer<()> {
        let mut args = vec!["rm", "--volumes"];
        if force {
            args.push("--force");
        }
        args.push(which.as_str());
        self.simply(&args, self.timeouts.remove).await
    }

    async fn rename(&self, container: &Ref, name: &Ref) -> Answer<()> {
        let args = ["rename", container.as_str(), name.as_str()];
        self.simply(&args, self.timeouts.ask).await
    }

    async fn pause(&self, container: &Ref) -> Answer<()> {
        self.simply(&["pause", container.as_str()], self.timeouts.ask)
            .await
    }

    async fn unpause(&self, container: &Ref) -> Answer<()> {
        self.simply(&["unpause", container.as_str()], self.timeouts.ask)
            .await
    }

    async fn events(&self, label: &str) -> Answer<BoxStream<'static, Answer<Happening>>> {
        // The program takes a while to listen: what falls into that is told from the engine's memory.
        let now = Timestamp::now();
        let since = format!("{}.{:09}", now.as_second(), now.subsec_nanosecond());
        // Before anything is said to have been subscribed to: whether there is anybody to listen to.
        self.known().await?;
        let label = format!("label={label}");
        let args = [
            "events",
            "--since",
            &since,
            "--filter",
            &label,
            "--filter",
            "type=container",
            "--format",
            "{{json .}}",
        ];
        let (running, stdout, _) = self.program.start(&args)?;
        let told = lines::lines(stdout).filter_map(|line| async move {
            let told = line.and_then(|line| {
                serde_json::from_slice::<Told>(&line).map_err(|error| {
                    Trouble::new(Class::Other, format!("it prints what is no event: {error}"))
                })
            });
            told.map(Told::happening).transpose()
        });
        // The program ends with the stream.
        Ok(
            stream::unfold((Box::pin(told), running), |(mut told, running)| async {
                let next = told.next().await?;
                Some((next, (told, running)))
            })
            .boxed(),
        )
    }

    async fn logs(
        &self,
        container: &Ref,
        wanted: LogQuery,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let since = wanted.since.map(|at| at.to_string());
        let mut args = vec!["logs", "--timestamps"];
        if wanted.follow {
            args.push("--follow");
        }
        if let Some(since) = &since {
            args.extend(["--since", since]);
        }
        args.push(container.as_str());
        let (running, stdout, stderr) = self.program.start(&args)?;
        let stdout = lines::entries(stdout, LogStreamKind::Stdout);
        let stderr = lines::entries(stderr, LogStreamKind::Stderr);
        let both = stream::select(Box::pin(stdout), Box::pin(stderr));
        let wanted = move |entry: &Answer<LogEntry>| match entry {
            Ok(entry) if entry.stream == LogStreamKind::Stderr => wanted.stderr,
            Ok(_) => wanted.stdout,
            Err(_) => true,
        };
        let both = both.filter(move |entry| std::future::ready(wanted(entry)));
        Ok(
            stream::unfold((Box::pin(both), running), |(mut both, running)| async {
                let next = both.next().await?;
                Some((next, (both, running)))
            })
            .boxed(),
        )
    }

    async fn look(&self, container: &Ref, path: &str) -> Answer<Inside> {
        let what = format!("{}:{path}", container.as_str());
        let (mut running, stdout, stderr) = self.program.start(&["cp", &what, "-"])?;
        let looked = async {
            match archive::first_entry(stdout).await? {
                Some(inside) => Ok(inside),
                None => match running.said(stderr).await {
                    None => Ok(Inside::Nothing),
                    Some(trouble) if trouble.is_no_file() => Ok(Inside::Nothing),
                    Some(trouble) => Err(trouble),
                },
            }
        };
        let limit = self.timeouts.ask;
        tokio::time::timeout(limit, looked)
            .await
            .unwrap_or_else(|_| Err(run::no_answer(limit)))
    }

    async fn added(&self, container: &Ref) -> Answer<Vec<String>> {
        let args = ["diff", container.as_str()];
        let printed = self
            .program
            .run(&args, Input::none(), self.timeouts.ask)
            .await?;
        let text = String::from_utf8_lossy(&printed);
        Ok(text
            .lines()
            .filter_map(|line| line.strip_prefix("A "))
            .map(ToOwned::to_owned)
            .collect())
    }

    async fn pull(&self, image: &str) -> Answer<()> {
        // As long as it takes: what is slow is the network, and not the engine.
        let limit = Duration::from_hours(24);
        self.simply(&["pull", "--quiet", image], limit).await
    }
}

impl fmt::Display for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program)
    }
}

impl fmt::Debug for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cli").field(&self.to_string()).finish()
    }
}
