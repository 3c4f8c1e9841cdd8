//! What is said when something is refused.

use serde::{Deserialize, Serialize};

/// How `/v1` answers what it does not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Problem {
    /// What is the matter.
    pub error: ProblemDetail,
}

impl From<ProblemDetail> for Problem {
    fn from(error: ProblemDetail) -> Self {
        Self { error }
    }
}

/// What is the matter, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ProblemDetail {
    /// What kind of matter.
    pub kind: ProblemKind,
    /// One sentence that names the thing.
    pub message: String,
    /// What mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl ProblemDetail {
    /// A matter of `kind`, without a word on what mends it.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            cure: None,
        }
    }

    /// Says what mends it.
    #[must_use]
    pub fn with_cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// What kind of matter a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProblemKind {
    /// What was said cannot be right.
    Invalid,
    /// There is no token, or not a right one.
    Unauthorized,
    /// The token is right, and not for this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The path is right, and the method is not.
    MethodNotAllowed,
    /// The attempt is not the task's any more.
    Superseded,
    /// The thing stands otherwise than the call needs.
    Conflict,
    /// There is more of it than is taken.
    TooLarge,
    /// The form is not one that is taken.
    UnsupportedMediaType,
    /// There were too many calls.
    TooManyRequests,
    /// The coordinator cannot do it now.
    Unavailable,
    /// The coordinator has a fault.
    Internal,
}
