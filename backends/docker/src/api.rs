//! The way by the Engine API.

mod belongings;
mod carry;
mod config;
mod connect;
mod frames;
mod lines;
mod logins;
mod ssh;
mod tls;

use std::fmt;
use std::time::Duration;

use ::http::Method;
use alveary_core::{BackendConfig, Error, ErrorKind, Operation, Result, Signal};
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{
    ContainerUpdateBody, EndpointSettings, NetworkConnectRequest, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    KillContainerOptions, RemoveContainerOptions, RenameContainerOptions,
};
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::classify::{Class, Trouble, not_stalled};
use crate::config::{Settings, Timeouts};
use crate::engine::{
    Answer, Container, Created, Engine, EngineFacts, Happening, Inside, LogEntry, LogQuery, Ref,
    Telling,
};
use crate::find::Surroundings;
use crate::http::{self, Http, SMALL, archive, query};
use crate::layers::Layers;
use crate::plan::Plan;
use crate::wire::{Inspected, Made, Told};
use logins::Logins;

pub use config::DockerApiConfig;

/// An engine, by its API.
///
/// What bears values (an environment goes in with `create` and comes out with `inspect`) is sent and read by
/// [`Http`] itself, because bollard writes every body that it sends or reads into the log. All else goes
/// through bollard, over the same connections.
struct Api {
    http: Http,
    docker: Docker,
    timeouts: Timeouts,
    logins: Logins,
}

/// A list of ten thousand containers.
const LARGE: usize = 64 << 20;

impl Api {
    fn new(settings: &Settings) -> Result<Self> {
        let surroundings = Surroundings::of_this_process(settings);
        let logins = Logins(surroundings.config());
        let http = Http::new(connect::Direct::new(surroundings), settings.timeout.ask);
        let transport = http.clone();
        let docker = Docker::connect_with_custom_transport(
            move |request| {
                let transport = transport.clone();
                async move { carry::carry(&transport, request).await }
            },
            Some("http://engine"),
            // Ours are around every call, bodies included, and not in whole seconds.
            u64::from(u32::MAX),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| {
            Error::new(
                ErrorKind::Engine,
                Operation::Connect,
                "no client can be made",
            )
            .with_cure("report this")
            .with_source(error)
        })?;
        Ok(Self {
            http,
            docker,
            timeouts: settings.timeout.clone(),
            logins,
        })
    }

    /// A call through bollard, within a time limit that holds for its answer's body too.
    async fn typed<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Answer<T> {
        match tokio::time::timeout(limit, call).await {
            Ok(answer) => answer.map_err(carry::from_bollard),
            Err(_) => Err(http::no_answer(limit)),
        }
    }

    async fn inspect_path(&self, path: &str) -> Answer<Option<Container>> {
        let found: Inspected = match self.http.get(path, self.timeouts.ask, SMALL).await {
            Ok(found) => found,
            Err(trouble) if trouble.class == Class::NoContainer => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        Ok(found.into_container())
    }
}

fn facts(told: &http::Facts) -> EngineFacts {
    EngineFacts {
        version: told.version.clone(),
        api: told.api(),
        podman: told.podman,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    path: String,
    kind: u8,
}

/// What is said of an image that comes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    id: Option<String>,
    status: Option<String>,
    progress_detail: Option<Detail>,
    error: Option<String>,
}

#[derive(Deserialize, Default)]
struct Detail {
    current: Option<i64>,
    total: Option<i64>,
}

/// For how long an engine that fetches an image may say nothing: it tells of each piece.
const SILENCE: Duration = Duration::from_mins(10);

/// How many are inspected at once.
const AT_ONCE: usize = 8;

#[async_trait]
impl Engine for Api {
    const KIND: &'static str = DockerApiConfig::NAME;

    fn is_local(&self) -> bool {
        self.http.is_local()
    }

    async fn facts(&self) -> Answer<EngineFacts> {
        Ok(facts(&self.http.facts_anew().await?))
    }

    async fn id(&self) -> Answer<String> {
        #[derive(Deserialize)]
        struct Told {
            #[serde(rename = "ID", default)]
            id: String,
        }
        let told: Told = self.http.get("/info", self.timeouts.ask, SMALL).await?;
        Ok(told.id)
    }

    async fn create(&self, name: &Ref, plan: &Plan) -> Answer<Created> {
        let facts = self.http.facts().await?;
        let body = crate::body::of(plan, facts.podman)?;
        let path = format!("/containers/create?{}", query(&[("name", name.as_str())]));
        let made: Made = self
            .http
            .post(&path, body, self.timeouts.start, SMALL)
            .await?;
        made.into_created()
            .ok_or_else(|| Trouble::new(Class::Other, "it made something without an id"))
    }

    async fn connect(&self, container: &Ref, network: &str, alias: Option<&String>) -> Answer<()> {
        let request = NetworkConnectRequest {
            container: container.as_str().to_owned(),
            endpoint_config: alias.map(|alias| EndpointSettings {
                aliases: Some(vec![alias.clone()]),
                ..Default::default()
            }),
        };
        self.typed(
            self.timeouts.start,
            self.docker.connect_network(network, request),
        )
        .await
    }

    async fn start(&self, container: &Ref) -> Answer<()> {
        let call = self.docker.start_container(container.as_str(), None);
        self.typed(self.timeouts.start, call).await
    }

    async fn inspect(&self, which: &Ref) -> Answer<Option<Container>> {
        self.inspect_path(&format!("/containers/{}/json", which.as_str()))
            .await
    }

    async fn list(&self, label: &str, beginning: &str) -> Answer<Vec<Container>> {
        let filters = serde_json::json!({ "label": [label] }).to_string();
        let path = format!(
            "/containers/json?{}",
            query(&[("all", "true"), ("filters", &filters)])
        );
        let listed: Vec<Listed> = self.http.get(&path, self.timeouts.ask, LARGE).await?;
        // Paths of their own, so that the futures own what they ask for.
        let paths: Vec<String> = listed
            .into_iter()
            .filter(|listed| {
                let mut names = listed.names.iter().flatten();
                let begins = |name: &String| name.trim_start_matches('/').starts_with(beginning);
                beginning.is_empty() || names.any(begins)
            })
            .filter_map(|listed| Ref::new(listed.id))
            .map(|id| format!("/containers/{}/json", id.as_str()))
            .collect();
        let looked: Vec<Option<Container>> = futures_util::stream::iter(
            paths
                .into_iter()
                .map(|path| async move { self.inspect_path(&path).await }),
        )
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
        Ok(looked.into_iter().flatten().collect())
    }

    async fn kill(&self, container: &Ref, signal: Signal) -> Answer<()> {
        let options = KillContainerOptions {
            signal: signal.number().to_string(),
        };
        let call = self
            .docker
            .kill_container(container.as_str(), Some(options));
        self.typed(self.timeouts.ask, call).await
    }

    async fn until_ended(&self, container: &Ref, patience: Duration) {
        let path = format!(
            "/containers/{}/wait?{}",
            container.as_str(),
            query(&[("condition", "not-running")])
        );
        // Whatever it says is looked at again: an engine that dies says 200 and nothing more.
        let waited: Answer<serde_json::Value> =
            self.http.post(&path, Vec::new(), patience, SMALL).await;
        if let Err(trouble) = waited {
            tracing::trace!(words = %trouble.words, "the waiting broke off");
        }
    }

    async fn remove(&self, which: &Ref, force: bool) -> Answer<()> {
        let options = RemoveContainerOptions {
            v: true,
            force,
            link: false,
        };
        let call = self.docker.remove_container(which.as_str(), Some(options));
        self.typed(self.timeouts.remove, call).await
    }

    async fn rename(&self, container: &Ref, name: &Ref) -> Answer<()> {
        let options = RenameContainerOptions {
            name: name.as_str().to_owned(),
        };
        let call = self.docker.rename_container(container.as_str(), options);
        self.typed(self.timeouts.ask, call).await
    }

    async fn pause(&self, container: &Ref) -> Answer<()> {
        let call = self.docker.pause_container(container.as_str());
        self.typed(self.timeouts.ask, call).await
    }

    async fn restart_no_more(&self, container: &Ref) -> Answer<()> {
        let update = ContainerUpdateBody {
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..Default::default()
        };
        let call = self.docker.update_container(container.as_str(), update);
        self.typed(self.timeouts.ask, call).await
    }

    async fn unpause(&self, container: &Ref) -> Answer<()> {
        let call = self.docker.unpause_container(container.as_str());
        self.typed(self.timeouts.ask, call).await
    }

    async fn events(&self, label: &str) -> Answer<BoxStream<'static, Answer<Happening>>> {
        let filters = serde_json::json!({ "label": [label], "type": ["container"] }).to_string();
        // Engines answer before they listen: what falls between the two is told from their memory.
        let since = self.http.engine_time().await?;
        let path = format!(
            "/events?{}",
            query(&[("filters", &filters), ("since", &since)])
        );
        let body = self.http.stream(Method::GET, &path).await?;
        let told = lines::json::<Told>(body)
            .filter_map(|told| async move { told.map(Told::happening).transpose() });
        Ok(told.boxed())
    }

    async fn logs(
        &self,
        container: &Ref,
        wanted: LogQuery,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let flag = |on: bool| if on { "true" } else { "false" };
        let since = wanted
            .since
            .map(|at| format!("{}.{:09}", at.as_second(), at.subsec_nanosecond()));
        let mut pairs = vec![
            ("stdout", flag(wanted.stdout)),
            ("stderr", flag(wanted.stderr)),
            ("follow", flag(wanted.follow)),
            ("timestamps", "true"),
        ];
        if let Some(since) = &since {
            pairs.push(("since", since));
        }
        let path = format!("/containers/{}/logs?{}", container.as_str(), query(&pairs));
        let body = self.http.stream(Method::GET, &path).await?;
        // One who follows may hear nothing for days; one who reads what is there may not.
        let patience = (!wanted.follow).then_some(self.timeouts.ask);
        Ok(frames::entries(body, patience).boxed())
    }

    async fn look(&self, container: &Ref, path: &str) -> Answer<Inside> {
        Ok(match archive::look(&self.http, container, path).await? {
            None => Inside::Nothing,
            Some(stat) if stat.is_link() => Inside::Link(stat.link_target),
            Some(stat) if stat.is_folder() => Inside::Folder,
            Some(stat) => Inside::File {
                executable: stat.mode & 0o111 != 0,
            },
        })
    }

    async fn added(&self, container: &Ref) -> Answer<Vec<String>> {
        let path = format!("/containers/{}/changes", container.as_str());
        let changes: Option<Vec<Change>> = self.http.get(&path, self.timeouts.ask, LARGE).await?;
        let added = |change: &Change| change.kind == 1;
        Ok(changes
            .unwrap_or_default()
            .into_iter()
            .filter(added)
            .map(|change| change.path)
            .collect())
    }

    async fn has_image(&self, image: &str) -> Answer<()> {
        let path = format!("/images/{image}/json");
        let found: Answer<IgnoredAny> = self.http.get(&path, self.timeouts.ask, LARGE).await;
        found.map(drop)
    }

    async fn pull(&self, image: &str, tell: Telling<'_>) -> Answer<()> {
        // Without a tag, an engine would fetch every one that there is.
        let last = image.rsplit('/').next().unwrap_or(image);
        let tagged = last.contains(':') || last.contains('@');
        let mut pairs = vec![("fromImage", image)];
        if !tagged {
            pairs.push(("tag", "latest"));
        }
        let path = format!("/images/create?{}", query(&pairs));
        let silence = self.timeouts.pull.unwrap_or(SILENCE);
        let login = self.logins.at_registry_of(image, silence).await;
        let asked = self.http.fetching(&path, login);
        let body = not_stalled(silence, asked).await??;
        let mut steps = std::pin::pin!(lines::json::<Step>(body));
        let mut layers = Layers::default();
        while let Some(step) = not_stalled(silence, steps.next()).await? {
            let step = step?;
            if let Some(words) = step.error {
                // It is in an answer that began well.
                return Err(Trouble::said(Some(200), words));
            }
            let (Some(layer), Some(status)) = (step.id, step.status) else {
                continue;
            };
            let bytes = step.progress_detail.unwrap_or_default();
            let bytes = bytes.current.zip(bytes.total);
            layers.step(&layer, &status, bytes);
            tell(layers.stage());
        }
        Ok(())
    }

    fn http(&self) -> &Http {
        &self.http
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.http)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Api").field(&self.to_string()).finish()
    }
}

#[cfg(test)]
mod tests;
