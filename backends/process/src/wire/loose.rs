//! Reading what another version says: as much of it as can be understood, and never less than its number.

use alveary_core::{AgentInfo, AgentState, Exit};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Numbered, Request, decode};

/// Why something that stands in a frozen answer is not told.
const OTHER_WORDS: &str =
    "the keeper is of another version of alveary and tells it in words of its own";

/// A request that cannot be understood, and the number under which that is to be answered.
#[derive(Debug)]
pub(crate) struct NotUnderstood {
    pub(crate) n: u64,
    pub(crate) why: serde_json::Error,
}

pub(crate) fn decode_request(frame: &[u8]) -> Result<Numbered<Request>, NotUnderstood> {
    decode(frame).map_err(|why| NotUnderstood {
        n: number_of(frame),
        why,
    })
}

/// An answer; of one that cannot be understood, at least whose it is.
pub(crate) fn decode_answer(frame: &[u8]) -> Numbered<Answer> {
    decode(frame).unwrap_or_else(|error| {
        if let Ok(Numbered { n, body }) = decode::<Frozen>(frame) {
            return Numbered {
                n,
                body: body.into(),
            };
        }
        tracing::warn!(%error, "an answer of the keeper cannot be understood");
        Numbered {
            n: number_of(frame),
            body: Answer::NotUnderstood,
        }
    })
}

/// Zero, which nobody's request has, where there is none.
fn number_of(frame: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Number {
        n: u64,
    }
    serde_json::from_slice(frame).map_or(0, |Number { n }| n)
}

/// What every version answers, though it may know states and ends that we do not.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Frozen {
    List(Vec<Value>),
    Exit(Value),
}

impl From<Frozen> for Answer {
    fn from(frozen: Frozen) -> Self {
        match frozen {
            Frozen::List(agents) => Self::List(agents.into_iter().filter_map(listed).collect()),
            Frozen::Exit(exit) => Self::Exit(
                serde_json::from_value(exit).unwrap_or_else(|_| Exit::unknown(OTHER_WORDS)),
            ),
        }
    }
}

/// An agent as far as it can be understood: whoever has an id and an incarnation is listed.
fn listed(mut agent: Value) -> Option<AgentInfo> {
    if let Ok(agent) = AgentInfo::deserialize(&agent) {
        return Some(agent);
    }
    let unknown = AgentState::Unknown {
        why: OTHER_WORDS.to_owned(),
    };
    if let Some(state) = agent.get_mut("state") {
        *state = serde_json::to_value(&unknown).unwrap_or_default();
    }
    if let Ok(agent) = AgentInfo::deserialize(&agent) {
        return Some(agent);
    }
    let field = |name: &str| agent.get(name).cloned().unwrap_or_default();
    let (id, incarnation) = (field("id"), field("incarnation"));
    let mut info = AgentInfo::new(
        serde_json::from_value(id).ok()?,
        serde_json::from_value(incarnation).ok()?,
        field("name").as_str().unwrap_or_default(),
        unknown,
    );
    info.pid = serde_json::from_value(field("pid")).unwrap_or_default();
    Some(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str =
        r#""id":"echo","incarnation":"0102030405060708090a0b0c0d0e0f10","name":"e""#;

    fn list(frame: &str) -> Vec<AgentInfo> {
        match decode_answer(frame.as_bytes()) {
            Numbered {
                n: 7,
                body: Answer::List(agents),
            } => agents,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_agent_in_a_state_that_we_do_not_know_is_listed_as_unknown() {
        for state in [r#""dreaming""#, r#"{"dreaming":{"of":"sheep"}}"#] {
            let agents = list(&format!(
                r#"{{"n":7,"is":{{"list":[{{{AGENT},"state":{state},"pid":12,"mood":3}}]}}}}"#
            ));
            assert_eq!(agents.len(), 1);
            assert_eq!((agents[0].id.as_str(), agents[0].pid), ("echo", Some(12)));
            assert_eq!(agents[0].state.as_str(), "unknown");
        }
    }

    #[test]
    fn what_has_no_id_costs_the_others_nothing() {
        let agents = list(&format!(
            r#"{{"n":7,"is":{{"list":[{{"x":1}},{{{AGENT}}}]}}}}"#
        ));
        assert_eq!(agents.len(), 1);
    }

    #[test]
    fn an_end_that_we_do_not_know_is_an_end() {
        let answer = decode_answer(br#"{"n":7,"is":{"exit":{"status":"Evaporated","by":"sun"}}}"#);
        assert!(matches!(answer.body, Answer::Exit(exit) if !exit.is_success()));
    }

    #[test]
    fn what_cannot_be_understood_at_all_keeps_its_number() {
        let answer = decode_answer(br#"{"n":7,"is":{"sparkle":1},"more":[]}"#);
        assert!(matches!(
            (answer.n, answer.body),
            (7, Answer::NotUnderstood)
        ));
        assert_eq!(decode_answer(b"\xff\0").n, 0);
        assert_eq!(decode_request(br#"{"n":9,"is":"dance"}"#).unwrap_err().n, 9);
    }
}
