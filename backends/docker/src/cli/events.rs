//! What happens to containers, as the program prints it: a line of JSON for each.

use std::collections::BTreeMap;

use futures_core::Stream;
use futures_util::stream;
use serde::Deserialize;

use super::child::Feed;
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

struct Events {
    feed: Feed,
    speaks: Speaks,
    done: bool,
}

/// The events, until the program ends.
pub(super) fn happenings(
    feed: Feed,
    speaks: Speaks,
) -> impl Stream<Item = Answer<Happening>> + Send {
    let events = Events {
        feed,
        speaks,
        done: false,
    };
    stream::unfold(events, |mut events| async {
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
    })
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
                return Err(self.ended().await);
            }
        }
    }

    fn line(&mut self) -> Answer<Option<bytes::BytesMut>> {
        let held = &mut self.feed.out.held;
        match held.iter().position(|byte| *byte == b'\n') {
            Some(newline) => Ok(Some(held.split_to(newline + 1))),
            None if held.len() > MAX_LINE => Err(unreadable()),
            None => Ok(None),
        }
    }

    fn read(&self, line: &[u8]) -> Answer<Option<Happening>> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        let told = match self.speaks {
            Speaks::Docker => serde_json::from_slice(line).map_err(|_| unreadable())?,
            Speaks::Podman => {
                let told: PodmanTold = serde_json::from_slice(line).map_err(|_| unreadable())?;
                told.told()?
            }
        };
        Ok(told.happening())
    }

    /// It never ends by itself: where it does, the engine has ended.
    async fn ended(&mut self) -> Trouble {
        match self.feed.finish().await {
            Err(trouble) => trouble,
            Ok(said) if said.is_well() => {
                Trouble::new(Class::Unreachable, "the engine ended the stream of events")
            }
            Ok(said) => said.trouble(),
        }
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
