//! Reading a bid as the original's framework does: lenient about how a number is written, strict about what it is.

use alveary_agent::protocol::{Capabilities, Sats};
use alveary_core::AgentId;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::super::body::{is_json, media_type};
use super::super::refusal::Refusal;
use super::fault::{Fault, No, Place};

/// A bid that has the right form.
#[derive(Debug)]
pub(crate) struct ReadBid {
    /// As it was written: a task that is no task has no auction, which is an answer and no fault.
    pub(crate) task_id: String,
    pub(crate) agent_id: AgentId,
    pub(crate) bid_sats: Sats,
    pub(crate) capabilities: Capabilities,
}

/// Reads a bid, and finds every fault of it at once.
pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Result<ReadBid, No> {
    let fields = object(headers, body)?;
    let mut faults = Vec::new();
    let task_id = keep(text(&fields, "task_id"), &mut faults);
    let agent_id = keep(text(&fields, "agent_id").and_then(agent), &mut faults);
    let sats = keep(whole(&fields, "bid_sats"), &mut faults);
    let able = keep(capabilities(&fields), &mut faults);
    let (Some(task_id), Some(agent_id), Some(sats), Some(capabilities)) =
        (task_id, agent_id, sats, able)
    else {
        return Err(No::Faults(faults));
    };
    Ok(ReadBid {
        task_id,
        agent_id,
        bid_sats: amount(sats)?,
        capabilities,
    })
}

fn keep<T>(read: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

fn at(name: &'static str) -> [Place; 2] {
    [Place::Name("body"), Place::Name(name)]
}

/// The body as an object. A body of no type at all is taken for JSON, as the original does.
fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Fault> {
    let here = [Place::Name("body")];
    if body.is_empty() {
        return Err(Fault::missing(here, Value::Null));
    }
    let not_an_object = |input| {
        Fault::new(
            "model_attributes_type",
            here.clone(),
            "Input should be a valid dictionary or object to extract fields from",
            input,
        )
    };
    if media_type(headers).is_some_and(|media| !is_json(&media)) {
        let shown = String::from_utf8_lossy(body).into_owned();
        return Err(not_an_object(Value::String(shown)));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(not_an_object(other)),
        Err(error) => Err(Fault::new(
            "json_invalid",
            [Place::Name("body"), Place::At(offset(body, &error))],
            "JSON decode error",
            json!({}),
        )
        .with(json!({ "error": error.to_string() }))),
    }
}

/// How many bytes into the body the reader stumbled.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let before: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    before + error.column().saturating_sub(1)
}

fn field<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Result<&'a Value, Fault> {
    fields
        .get(name)
        .ok_or_else(|| Fault::missing(at(name), Value::Object(fields.clone())))
}

fn text(fields: &Map<String, Value>, name: &'static str) -> Result<String, Fault> {
    match field(fields, name)? {
        Value::String(text) => Ok(text.clone()),
        other => Err(not_text(name, other)),
    }
}

fn not_text(name: &'static str, input: &Value) -> Fault {
    Fault::new(
        "string_type",
        at(name),
        "Input should be a valid string",
        input.clone(),
    )
}

fn agent(text: String) -> Result<AgentId, Fault> {
    const PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$";
    AgentId::new(&text).map_err(|_| {
        Fault::new(
            "string_pattern_mismatch",
            at("agent_id"),
            format!("String should match pattern '{PATTERN}'"),
            Value::String(text),
        )
        .with(json!({ "pattern": PATTERN }))
    })
}

fn capabilities(fields: &Map<String, Value>) -> Result<Capabilities, Fault> {
    const NAME: &str = "capabilities";
    match fields.get(NAME) {
        None | Some(Value::Null) => Ok(Capabilities::default()),
        Some(Value::String(text)) => text.parse().map_err(|error| {
            Fault::new(
                "value_error",
                at(NAME),
                format!("Value error, {error}"),
                Value::String(text.clone()),
            )
        }),
        Some(other) => Err(not_text(NAME, other)),
    }
}

/// A whole number, however it is written: `7`, `7.0`, `"7"`, `" +7.00 "`, `true`.
fn whole(fields: &Map<String, Value>, name: &'static str) -> Result<i128, Fault> {
    let value = field(fields, name)?;
    let fault = |kind, message: &str| Fault::new(kind, at(name), message, value.clone());
    match value {
        Value::Bool(yes) => Ok(i128::from(*yes)),
        Value::Number(number) => {
            let exact = number
                .as_i64()
                .map(i128::from)
                .or_else(|| number.as_u64().map(i128::from));
            match (exact, number.as_f64()) {
                (Some(exact), _) => Ok(exact),
                (None, Some(float)) if float.fract() == 0.0 => Ok(truncated(float)),
                _ => Err(fault(
                    "int_from_float",
                    "Input should be a valid integer, got a number with a fractional part",
                )),
            }
        }
        Value::String(text) => written(text).ok_or_else(|| {
            fault(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer",
            )
        }),
        _ => Err(fault("int_type", "Input should be a valid integer")),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what lies beyond becomes the end, and the end is no amount either"
)]
fn truncated(float: f64) -> i128 {
    float as i128
}

fn written(text: &str) -> Option<i128> {
    let text = text.trim();
    let (digits, zeros) = text.split_once('.').unwrap_or((text, "0"));
    if zeros.is_empty() || zeros.bytes().any(|digit| digit != b'0') {
        return None;
    }
    digits.parse().ok()
}

fn amount(sats: i128) -> Result<Sats, No> {
    if sats <= 0 {
        return Err(Refusal::invalid("bid_sats must be > 0").into());
    }
    u64::try_from(sats)
        .ok()
        .and_then(|sats| Sats::new(sats).ok())
        .ok_or_else(|| {
            Fault::new(
                "less_than_equal",
                at("bid_sats"),
                format!("Input should be less than or equal to {}", Sats::MAX),
                json!(sats.to_string()),
            )
            .with(json!({ "le": Sats::MAX }))
            .into()
        })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http::header::CONTENT_TYPE;

    use super::*;

    const TASK: &str = "5e2a0e5e-1c43-4a57-9b8f-0a3f64b6a1aa";

    fn with_sats(sats: &str) -> Result<ReadBid, No> {
        let body = format!(r#"{{"task_id": "{TASK}", "agent_id": "a1", "bid_sats": {sats}}}"#);
        read_json(&body)
    }

    fn read_json(body: &str) -> Result<ReadBid, No> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        read(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    }

    fn kinds(read: Result<ReadBid, No>) -> Vec<Value> {
        match read.unwrap_err() {
            No::Faults(faults) => faults
                .iter()
                .map(|fault| {
                    let fault = serde_json::to_value(fault).unwrap();
                    json!([fault["type"], fault["loc"]])
                })
                .collect(),
            No::Refused(refusal) => panic!("{:?}", refusal.into_response()),
        }
    }

    #[test]
    fn a_number_may_be_written_in_every_way_that_the_original_takes() {
        for (written, sats) in [
            ("7", 7),
            ("7.0", 7),
            ("\"7\"", 7),
            ("\" +7.00 \"", 7),
            ("true", 1),
            ("1e2", 100),
            ("9007199254740991", 9_007_199_254_740_991),
        ] {
            assert_eq!(
                with_sats(written).unwrap().bid_sats.get(),
                sats,
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_number_has_the_original_s_word_for_it() {
        for (written, kind) in [
            ("\"seven\"", "int_parsing"),
            ("\"\"", "int_parsing"),
            ("\"7.\"", "int_parsing"),
            ("\"7.5\"", "int_parsing"),
            ("\"NaN\"", "int_parsing"),
            ("\"0x10\"", "int_parsing"),
            ("7.5", "int_from_float"),
            ("null", "int_type"),
            ("[]", "int_type"),
            ("{}", "int_type"),
            ("1e30", "less_than_equal"),
            ("9007199254740992", "less_than_equal"),
            ("18446744073709551616", "less_than_equal"),
        ] {
            let expected = vec![json!([kind, ["body", "bid_sats"]])];
            assert_eq!(kinds(with_sats(written)), expected, "{written}");
        }
        for not_json in ["NaN", "Infinity", "1e999", "-", "0x10"] {
            assert_eq!(
                kinds(with_sats(not_json))[0][0],
                "json_invalid",
                "{not_json}"
            );
        }
    }

    #[test]
    fn nothing_and_less_are_refused_in_a_sentence() {
        for written in ["0", "-1", "-1e30", "false", "\"-5\"", "-0.0"] {
            assert!(
                matches!(with_sats(written), Err(No::Refused(_))),
                "{written}"
            );
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        assert_eq!(
            kinds(read_json(
                r#"{"agent_id": 5, "capabilities": 7, "bid_sats": "x"}"#
            )),
            [
                json!(["missing", ["body", "task_id"]]),
                json!(["string_type", ["body", "agent_id"]]),
                json!(["int_parsing", ["body", "bid_sats"]]),
                json!(["string_type", ["body", "capabilities"]]),
            ]
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_told_so() {
        for body in ["[]", "7", "\"x\"", "null"] {
            assert_eq!(
                kinds(read_json(body)),
                [json!(["model_attributes_type", ["body"]])]
            );
        }
        assert_eq!(kinds(read_json("")), [json!(["missing", ["body"]])]);
        assert_eq!(
            kinds(read_json("{\n \"task_id\": x}")),
            [json!(["json_invalid", ["body", 14]])]
        );
    }

    #[test]
    fn another_type_of_body_is_not_read_as_json_and_none_is() {
        let body = Bytes::from(format!(
            r#"{{"task_id": "{TASK}", "agent_id": "a1", "bid_sats": 7}}"#
        ));
        assert!(read(&HeaderMap::new(), &body).is_ok());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "text/plain".parse().unwrap());
        assert_eq!(
            kinds(read(&headers, &body)),
            [json!(["model_attributes_type", ["body"]])]
        );
    }

    #[test]
    fn fields_that_nobody_knows_are_ignored() {
        let body =
            format!(r#"{{"task_id": "{TASK}", "agent_id": "a1", "bid_sats": 7, "extra": [1]}}"#);
        assert!(read_json(&body).is_ok());
    }
}
