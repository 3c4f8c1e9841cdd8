//! What happens to containers, as the program prints it: a line of JSON for each.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;

use super::child::Program;
use super::feed::Feed;
use super::known::Speaks;
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Happening};
use crate::wire::Told;

/// No event is longer.
const MAX_LINE: usize = 1 << 20;

/// An event as Podman's program prints it: another form than that of its API.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct PodmanTold {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    status: String,
    time: String,
    attributes: BTreeMap<String, String>,
}

impl PodmanTold {
    fn told(self) -> Answer<Told> {
        let mut attributes = self.attributes;
        attributes.insert("name".to_owned(), self.name);
        let same = serde_json::json!({
            "Action": self.status,
            "Actor": { "ID": self.id, "Attributes": attributes },
        });
        serde_json::from_value(same).map_err(|_| unreadable())
    }
}

fn unreadable() -> Trouble {
    Trouble::new(
        Class::Other,
        "the program prints an event that cannot be read",
    )
}

/// How the program is asked for events.
pub(super) struct Ask {
    pub(super) program: Program,
    pub(super) speaks: Speaks,
    /// `key=value`
    pub(super) label: String,
    /// The engine's time from which they are told.
    pub(super) since: Timestamp,
}

impl Ask {
    fn open(&self) -> Answer<Feed> {
        self.program.open(&[
            "events".to_owned(),
            format!("--since={}", self.since),
            format!("--filter=label={}", self.label),
            "--filter=type=container".to_owned(),
            "--format={{json .}}".to_owned(),
        ])
    }
}

/// How often in a row a program that ends without a word is started again.
const ENDS: u32 = 5;

/// What is waited in between.
const PAUSE: Duration = Duration::from_millis(100);

struct Events {
    ask: Ask,
    feed: Feed,
    ends: u32,
    done: bool,
}

/// The events, until the program ends.
pub(super) fn happenings(ask: Ask) -> Answer<impl Stream<Item = Answer<Happening>> + Send> {
    let events = Events {
        feed: ask.open()?,
        ask,
        ends: 0,
        done: false,
    };
    Ok(stream::unfold(events, |mut events| async {
        if events.done {
            return None;
        }
        match events.next().await {
            Ok(happening) => Some((Ok(happening), events)),
            Err(trouble) => {
                events.done = true;
                Some((Err(trouble), events))
            }
        }
    }))
}

impl Events {
    async fn next(&mut self) -> Answer<Happening> {
        loop {
            while let Some(line) = self.line()? {
                if let Some(happening) = self.read(&line)? {
                    return Ok(happening);
                }
            }
            if !self.feed.more(None).await? {
                self.go_on().await?;
            }
        }
    }

    /// The program has ended: so has the engine. Podman 4's ends now and then for no reason, and says nothing; it
    /// goes on from the last event then, which it may tell again.
    async fn go_on(&mut self) -> Answer<()> {
        let said = self.feed.finish().await?.well()?;
        self.ends += 1;
        if self.ask.speaks != Speaks::Podman || self.ends > ENDS {
            let words = "the engine ended the stream of events";
            return Err(Trouble::new(Class::Unreachable, words));
        }
        tracing::debug!(
            words = said.words,
            "the program ended, and is started again"
        );
        tokio::time::sleep(PAUSE).await;
        self.feed = self.ask.open()?;
        Ok(())
    }

    fn line(&mut self) -> Answer<Option<bytes::BytesMut>> {
        let held = &mut self.feed.out.held;
        match held.iter().position(|byte| *byte == b'\n') {
            Some(newline) => Ok(Some(held.split_to(newline + 1))),
            None if held.len() > MAX_LINE => Err(unreadable()),
            None => Ok(None),
        }
    }

    fn read(&mut self, line: &[u8]) -> Answer<Option<Happening>> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let told = match self.ask.speaks {
            Speaks::Docker => serde_json::from_slice(line).map_err(|_| unreadable())?,
            Speaks::Podman => {
                let told: PodmanTold = serde_json::from_slice(line).map_err(|_| unreadable())?;
                // One that is told again is no sign of life.
                if let Ok(at) = told.time.parse()
                    && at > self.ask.since
                {
                    self.ask.since = at;
                    self.ends = 0;
                }
                told.told()?
            }
        };
        Ok(told.happening())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podmans_events_are_read_as_dockers_are() {
        let line = r#"{"ContainerExitCode":3,"ID":"4a8f","Image":"busybox","Name":"alveary-demo-echo","Status":"died","Type":"container","Attributes":{"alveary.name":"echo"}}"#;
        let told: PodmanTold = serde_json::from_str(line).unwrap();
        let happening = told.told().unwrap().happening().unwrap();
        assert_eq!(happening.container.as_str(), "4a8f");
        assert_eq!(happening.name, "alveary-demo-echo");
        assert_eq!(happening.labels["alveary.name"], "echo");
        assert!(!happening.gone);
    }
}
