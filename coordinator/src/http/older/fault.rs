//! What the original says of a question that has not the right form: a list of faults, each with its place.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::refusal::{Reader, Refusal};

/// What a question of the original's is answered instead of what it asks for.
#[derive(Debug)]
pub(crate) enum No {
    /// The question has not the right form.
    Faults(Vec<Fault>),
    /// It has, and is refused.
    Refused(Refusal),
}

/// One thing that is wrong with a question, as the original's framework tells it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// What kind of fault.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where: the part of the request, then names and positions in it.
    #[schema(value_type = Vec<Value>)]
    loc: Vec<Place>,
    /// The fault in words.
    msg: String,
    /// What stood there.
    input: Value,
    /// What the words speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

/// One step to the place of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Place {
    Name(&'static str),
    At(usize),
}

/// How the original refuses: a sentence, or a list of faults.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it documents what `No` writes")]
pub(crate) enum Detail {
    Sentence { detail: String },
    Faults { detail: Vec<Fault> },
}

impl Fault {
    pub(crate) fn new(
        kind: &'static str,
        loc: impl Into<Vec<Place>>,
        msg: impl Into<String>,
        input: Value,
    ) -> Self {
        Self {
            kind,
            loc: loc.into(),
            msg: msg.into(),
            input,
            ctx: None,
        }
    }

    /// Something is not there that has to be.
    pub(crate) fn missing(loc: impl Into<Vec<Place>>, input: Value) -> Self {
        Self::new("missing", loc, "Field required", input)
    }

    pub(crate) fn with(mut self, ctx: Value) -> Self {
        self.ctx = Some(ctx);
        self
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        match self {
            Self::Faults(faults) => {
                let detail = json!({ "detail": faults });
                (StatusCode::UNPROCESSABLE_ENTITY, Json(detail)).into_response()
            }
            Self::Refused(refusal) => refusal.told(Reader::Older),
        }
    }
}

impl From<Fault> for No {
    fn from(fault: Fault) -> Self {
        Self::Faults(vec![fault])
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<crate::Error> for No {
    fn from(error: crate::Error) -> Self {
        Self::Refused(error.into())
    }
}
