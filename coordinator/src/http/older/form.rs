//! Reading a form, as browsers and the original's clients send one.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request};
use serde_json::Value;

use super::super::body::{self, media_type};
use super::super::refusal::Refusal;
use super::super::settings::Guard;
use super::fault::{Fault, No, Place};

/// The fields of a form; of one that comes twice, the last.
///
/// A body that is no form has no fields, as with the original.
#[derive(Debug, Default)]
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    pub(crate) async fn read(request: Request, guard: &Guard) -> Result<Self, No> {
        let (parts, body) = request.into_parts();
        let whole = body::read(body, guard).await?;
        match media_type(&parts.headers).as_deref() {
            Some("application/x-www-form-urlencoded") => {
                Ok(Self(form_urlencoded::parse(&whole).into_owned().collect()))
            }
            Some("multipart/form-data") => {
                let request = Request::from_parts(parts, Body::from(whole));
                Self::of_parts(request).await.map_err(No::Refused)
            }
            _ => Ok(Self::default()),
        }
    }

    async fn of_parts(request: Request) -> Result<Self, Refusal> {
        let unreadable = || Refusal::malformed("There was an error parsing the body");
        let mut parts = Multipart::from_request(request, &())
            .await
            .map_err(|_| unreadable())?;
        let mut fields = HashMap::new();
        while let Some(part) = parts.next_field().await.map_err(|_| unreadable())? {
            let name = part.name().unwrap_or_default().to_owned();
            fields.insert(name, part.text().await.map_err(|_| unreadable())?);
        }
        Ok(Self(fields))
    }

    /// A field that has to be there. An empty one is as good as none, as with the original.
    pub(crate) fn required(&mut self, name: &'static str) -> Result<String, Fault> {
        self.optional(name)
            .ok_or_else(|| Fault::missing([Place::Name("body"), Place::Name(name)], Value::Null))
    }

    /// A field that may be missing.
    pub(crate) fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }
}
