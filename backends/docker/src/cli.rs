//! The way by a program: `docker`, or `podman`.
//!
//! Each verb is a run of the program to its end, bounded in time; events and logs are programs that are listened
//! to. What reaches a program of an agent's are arguments that name no value of its environment, and a file on
//! standard input that does.

mod belongings;
mod carried;
mod child;
mod config;
mod cutter;
mod dial;
mod env_file;
mod environment;
mod events;
mod feed;
mod flags;
mod known;
mod logs;
mod pipe;
mod said;
mod talk;
mod tar_head;

use std::fmt;
use std::time::Duration;

use alveary_core::{BackendConfig, Signal};
use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::timeout;

use crate::classify::{Class, Trouble, classify, not_stalled};
use crate::config::{Settings, Timeouts};
use crate::engine::{
    Answer, Container, Created, Engine, EngineFacts, Happening, Inside, LogEntry, LogQuery, Ref,
    Telling,
};
use crate::find::Surroundings;
use crate::http::Http;
use crate::layers::Layers;
use crate::plan::Plan;
use crate::wire::Inspected;
use carried::Carried;
use child::{Call, Program};
use cutter::Pieces;
use known::{Known, Speaks};
use said::Said;
use tar_head::Head;

pub use config::DockerCliConfig;

/// An engine, by its program.
struct Cli {
    program: Program,
    host: Option<String>,
    /// Why its engine cannot be reached, where the program itself would not say.
    beyond_reach: Option<String>,
    /// Whether Docker's program would add variables to what it makes.
    gives_proxies: bool,
    http: Http,
    known: Mutex<Option<Known>>,
    timeouts: Timeouts,
}

/// So many containers are looked at by one run of the program.
const AT_ONCE: usize = 200;

/// More than the program says of so many containers.
const LARGE: usize = 64 << 20;

/// For how long a program that fetches an image may say nothing: it says nothing while a layer comes.
const SILENCE: Duration = Duration::from_hours(1);

/// No line about an image that comes is longer.
const MAX_LINE: usize = 4 << 20;

/// What is said each time by who stands in for Docker's program.
const SHIM: &str = "Emulate Docker CLI";

/// Podman leaves out of a log what bears the very time from which it is asked for.
const JUST_BEFORE: SignedDuration = SignedDuration::from_micros(1);

impl Cli {
    fn new(settings: &Settings) -> Self {
        let here = Surroundings::of_this_process(settings);
        let name = settings.program.clone();
        let program = Program {
            name: name.unwrap_or_else(|| "docker".to_owned()),
            env: environment::of_program(settings, &here, |key| std::env::var_os(key)),
        };
        let carried = Carried {
            program: program.clone(),
            local: environment::is_local(settings, &here, |key| std::env::var_os(key)),
            patience: settings.timeout.ask,
            seen: OnceCell::new(),
        };
        Self {
            program,
            http: Http::new(carried, settings.timeout.ask),
            host: settings.host.clone(),
            beyond_reach: here.beyond_reach(),
            gives_proxies: here.gives_proxies(),
            known: Mutex::default(),
            timeouts: settings.timeout.clone(),
        }
    }

    /// What the program and its engine are, asked once.
    async fn known(&self) -> Answer<Known> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        Ok(known.insert(self.ask_what_it_is().await?).clone())
    }

    async fn ask_what_it_is(&self) -> Answer<Known> {
        if let Some(why) = &self.beyond_reach {
            return Err(Trouble::new(Class::Unreachable, why.as_str()));
        }
        Known::ask(&self.program, self.timeouts.ask).await
    }

    async fn ask<const N: usize>(&self, args: [&str; N]) -> Answer<Said> {
        let call = Call::new(args, self.timeouts.ask).at_most(LARGE);
        self.program.run(call).await?.well()
    }

    async fn tell<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
        limit: Duration,
    ) -> Answer<()> {
        let said = self.program.run(Call::new(args, limit)).await?;
        said.well().map(|_| ())
    }

    /// Those of them that there are.
    async fn look_at(&self, which: &[&str]) -> Answer<Vec<Container>> {
        let args = ["inspect", "--type=container"].iter().chain(which);
        let call = Call::new(args.copied(), self.timeouts.ask).at_most(LARGE);
        let said = self.program.run(call).await?;
        if !said.is_well() {
            let trouble = said.trouble();
            // The others are told all the same when one is not there.
            let absent = |line: &str| classify(None, line) == Class::NoContainer;
            if !said.words.lines().all(absent) || trouble.class != Class::NoContainer {
                return Err(trouble);
            }
            if said.lines().next().is_none() {
                return Ok(Vec::new());
            }
        }
        let found: Vec<Inspected> = said.json()?;
        Ok(found
            .into_iter()
            .filter_map(Inspected::into_container)
            .collect())
    }

    /// The engine's own time, and that it is there to tell it.
    async fn engine_time(&self) -> Answer<Timestamp> {
        let before = Timestamp::now();
        let known = self.known().await?;
        if known.speaks == Speaks::Podman || known.podman {
            // Neither tells it: the clocks are one where the host is one.
            return Known::ask(&self.program, self.timeouts.ask)
                .await
                .map(|_| before);
        }
        let said = self.ask(["info", "--format={{.SystemTime}}"]).await?;
        let told = said.lines().next_back().and_then(|line| line.parse().ok());
        Ok(told.unwrap_or(before))
    }
}

/// Words with which programs say that a path is not there.
fn is_no_path(words: &str) -> bool {
    let text = words.to_lowercase();
    [
        "no such container:path",
        "could not find the file",
        "could not be found on container",
    ]
    .iter()
    .any(|said| text.contains(said))
}

#[async_trait]
impl Engine for Cli {
    const KIND: &'static str = DockerCliConfig::NAME;

    fn is_local(&self) -> bool {
        self.http.is_local()
    }

    async fn facts(&self) -> Answer<EngineFacts> {
        let known = self.ask_what_it_is().await?;
        let facts = known.facts();
        // It may be of another version by now.
        *self.known.lock().await = Some(known);
        Ok(facts)
    }

    async fn id(&self) -> Answer<String> {
        let said = self.ask(["info", "--format={{.ID}}"]).await?;
        // Warnings stand before it.
        Ok(said.lines().next_back().unwrap_or_default().to_owned())
    }

    async fn create(&self, name: &Ref, plan: &Plan) -> Answer<Created> {
        let known = self.known().await?;
        // What its file cannot carry, or the program would add to, goes to the engine as it is.
        let adds = self.gives_proxies && known.speaks == Speaks::Docker;
        let Some(env) = env_file::lines(&plan.env).filter(|_| !adds) else {
            let body = crate::body::of(plan, known.podman)?;
            let request = dial::create(&known.api, name, &body)?;
            let call = Call::new(["system", "dial-stdio"], self.timeouts.start).with_input(request);
            return dial::made(&self.program.run(call).await?, known.speaks);
        };
        let args = flags::create(&known, name, plan)?;
        let call = Call::new(args, self.timeouts.start).with_input(env);
        let said = self.program.run(call).await?.well()?;
        let id = |line: &str| line.len() >= 12 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let printed = said.lines().rfind(|line| id(line)).and_then(Ref::new);
        let id = printed.ok_or_else(|| Trouble::new(Class::Lost, "the program printed no id"))?;
        // Podman's program writes what it remarks without a word before it.
        let bare = said.words.lines().filter(|line| !line.starts_with(SHIM));
        let remarks = said.remarks.iter().map(String::as_str).chain(bare);
        Ok(Created {
            id,
            remarks: remarks.map(ToOwned::to_owned).collect(),
        })
    }

    async fn connect(&self, container: &Ref, network: &str, alias: Option<&String>) -> Answer<()> {
        let alias = alias.map(|alias| format!("--alias={alias}"));
        let verb = ["network", "connect"].into_iter().chain(alias.as_deref());
        let args = verb.chain(["--", network, container.as_str()]);
        self.tell(args, self.timeouts.start).await
    }

    async fn start(&self, container: &Ref) -> Answer<()> {
        self.tell(["start", container.as_str()], self.timeouts.start)
            .await
    }

    async fn inspect(&self, which: &Ref) -> Answer<Option<Container>> {
        let found = self.look_at(&[which.as_str()]).await?;
        // Programs take the beginning of an id for the id.
        let meant = |found: &Container| found.id == *which || found.name == which.as_str();
        Ok(found.into_iter().find(meant))
    }

    async fn list(&self, label: &str, beginning: &str) -> Answer<Vec<Container>> {
        // The format leaves out sizes, which the engine would measure one by one.
        let filter = format!("--filter=label={label}");
        let args = [
            "ps",
            "--all",
            "--no-trunc",
            &filter,
            "--format={{.ID}} {{.Names}}",
        ];
        let said = self.ask(args).await?;
        let ids: Vec<&str> = (said.lines())
            .filter_map(|line| {
                let (id, names) = line.split_once(' ').unwrap_or((line, ""));
                let begins = names.split(',').any(|name| name.starts_with(beginning));
                (begins && Ref::new(id).is_some()).then_some(id)
            })
            .collect();
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            found.extend(self.look_at(some).await?);
        }
        Ok(found)
    }

    async fn kill(&self, container: &Ref, signal: Signal) -> Answer<()> {
        let signal = format!("--signal={}", signal.number());
        self.tell(["kill", &signal, container.as_str()], self.timeouts.ask)
            .await
    }

    async fn until_ended(&self, container: &Ref, patience: Duration) {
        let known = self.known.lock().await.clone();
        let podman = known.is_some_and(|known| known.speaks == Speaks::Podman);
        let waited = if podman {
            // It looks from time to time.
            self.tell(["wait", "--interval=50ms", container.as_str()], patience)
                .await
        } else {
            self.tell(["wait", container.as_str()], patience).await
        };
        // Whatever it says is looked at again.
        if let Err(trouble) = waited {
            tracing::trace!(words = %trouble.words, "the waiting broke off");
        }
    }

    async fn remove(&self, which: &Ref, force: bool) -> Answer<()> {
        let mut args = vec!["rm", "--volumes"];
        if force {
            args.push("--force");
            if self.known().await?.speaks == Speaks::Podman {
                // It would wait for an end by itself.
                args.push("--time=0");
            }
        }
        args.push(which.as_str());
        let call = Call::new(args, self.timeouts.remove);
        let said = self.program.run(call).await?.well()?;
        // Force is content where there is nothing to remove, and names nothing as removed then.
        if said.lines().next().is_none() {
            return Err(Trouble::new(Class::NoContainer, said.words));
        }
        Ok(())
    }

    async fn rename(&self, container: &Ref, name: &Ref) -> Answer<()> {
        let args = ["rename", container.as_str(), name.as_str()];
        self.tell(args, self.timeouts.ask).await
    }

    async fn pause(&self, container: &Ref) -> Answer<()> {
        self.tell(["pause", container.as_str()], self.timeouts.ask)
            .await
    }

    async fn restart_no_more(&self, container: &Ref) -> Answer<()> {
        let update = ["update", "--restart=no", container.as_str()];
        self.tell(update, self.timeouts.ask).await
    }

    async fn unpause(&self, container: &Ref) -> Answer<()> {
        self.tell(["unpause", container.as_str()], self.timeouts.ask)
            .await
    }

    async fn events(&self, label: &str) -> Answer<BoxStream<'static, Answer<Happening>>> {
        // The program does not tell when it listens. What happens until then is told from the engine's memory.
        let since = self.engine_time().await?;
        let ask = events::Ask {
            program: self.program.clone(),
            speaks: self.known().await?.speaks,
            label: label.to_owned(),
            since,
        };
        Ok(events::happenings(ask)?.boxed())
    }

    async fn logs(
        &self,
        container: &Ref,
        query: LogQuery,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let pieces = if self.known().await?.podman {
            Pieces::Podman
        } else {
            Pieces::Docker
        };
        let mut args = vec!["logs".to_owned(), "--timestamps".to_owned()];
        if query.follow {
            args.push("--follow".to_owned());
        }
        if let Some(since) = query.since {
            let since = since.checked_sub(JUST_BEFORE).unwrap_or(since);
            args.push(format!("--since={since}"));
        }
        args.push(container.as_str().to_owned());
        let wanted = logs::Wanted {
            stdout: query.stdout,
            stderr: query.stderr,
        };
        // One who follows may hear nothing for days; one who reads what is there may not.
        let patience = (!query.follow).then_some(self.timeouts.ask);
        let feed = self.program.open(&args)?.with_both();
        Ok(logs::entries(feed, pieces, wanted, patience).boxed())
    }

    async fn look(&self, container: &Ref, path: &str) -> Answer<Inside> {
        let what = format!("{}:{path}", container.as_str());
        let mut feed = self
            .program
            .open(&["cp".to_owned(), what, "-".to_owned()])?;
        let looked = async {
            loop {
                match tar_head::read(&feed.out.held) {
                    // The rest of it, which may be a whole disk, ends with the program.
                    Head::Member(inside) => return Ok(inside),
                    Head::Wrong(words) => return Err(Trouble::new(Class::Other, words)),
                    Head::More => {}
                }
                if !feed.more(None).await? {
                    break;
                }
            }
            let said = feed.finish().await?;
            if is_no_path(&said.words) {
                return Ok(Inside::Nothing);
            }
            Err(said.trouble())
        };
        timeout(self.timeouts.ask, looked)
            .await
            .unwrap_or_else(|_| Err(Trouble::new(Class::Lost, "no answer in time")))
    }

    async fn added(&self, container: &Ref) -> Answer<Vec<String>> {
        let said = self.ask(["diff", container.as_str()]).await?;
        let added = said.lines().filter_map(|line| line.strip_prefix("A "));
        Ok(added.map(ToOwned::to_owned).collect())
    }

    async fn has_image(&self, image: &str) -> Answer<()> {
        let args = ["image", "inspect", "--format={{.Id}}", image];
        self.tell(args, self.timeouts.ask).await
    }

    async fn pull(&self, image: &str, tell: Telling<'_>) -> Answer<()> {
        let mut feed = self.program.open(&["pull".to_owned(), image.to_owned()])?;
        let mut layers = Layers::default();
        let silence = self.timeouts.pull.unwrap_or(SILENCE);
        while not_stalled(silence, feed.more(None)).await?? {
            for line in feed.lines() {
                // To who is no terminal it tells no bytes: `LAYER: STATUS`.
                if let Some((layer, status)) = line.split_once(": ") {
                    layers.step(layer, status, None);
                    tell(layers.stage());
                }
            }
            if feed.out.held.len() > MAX_LINE {
                let words = "it says more in one line than is read";
                return Err(Trouble::new(Class::Other, words));
            }
        }
        feed.finish().await?.well().map(|_| ())
    }

    fn http(&self) -> &Http {
        &self.http
    }
}

impl fmt::Display for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine of `{}`", self.program.name)?;
        match &self.host {
            Some(host) => write!(f, " at {host}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Cli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cli").field(&self.to_string()).finish()
    }
}

#[cfg(test)]
mod tests;
