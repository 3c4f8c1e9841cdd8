//! Bollard's requests, over our own connections.

use std::fmt;
use std::io;

use ::http::{HeaderValue, Request, Response, header};
use bollard::BollardRequest;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::classify::Trouble;
use crate::http::{Http, Sent, lost, uri};

/// Carries what bollard asks for, in the version that it forgets to say.
pub(super) async fn carry(
    http: &Http,
    asked: BollardRequest,
) -> Result<Response<Incoming>, bollard::errors::Error> {
    let carried = async {
        let (mut parts, body) = asked.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = uri(&http.versioned(path).await?)?;
        parts
            .headers
            .insert(header::HOST, HeaderValue::from_static("engine"));
        let body = body.map_err(|error| io::Error::other(error.to_string()));
        http.send(Request::from_parts(parts, Box::pin(body) as Sent))
            .await
    };
    carried
        .await
        .map_err(|trouble: Trouble| bollard::errors::Error::IOError {
            err: io::Error::other(Carried(trouble)),
        })
}

/// A trouble on its way through bollard.
#[derive(Debug)]
struct Carried(Trouble);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.words)
    }
}

impl std::error::Error for Carried {}

pub(super) fn from_bollard(error: bollard::errors::Error) -> Trouble {
    use bollard::errors::Error as E;
    match error {
        E::DockerResponseServerError {
            status_code,
            message,
        } => Trouble::said(Some(status_code), message),
        E::DockerStreamError { error } => Trouble::said(None, error),
        E::IOError { err } => match err
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Carried>())
        {
            Some(carried) => carried.0.clone(),
            None => lost(&err),
        },
        error => lost(&error),
    }
}
