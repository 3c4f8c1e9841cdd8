//! Bollard's requests, over our own connections.

use std::io;

use ::http::{HeaderValue, Request, Response, header};
use bollard::BollardRequest;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::classify::Trouble;
use crate::http::lost::Carried;
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
        let answer = http.send(Request::from_parts(parts, Box::pin(body) as Sent));
        // Bollard would read a refusal to its end, however long it is. Of what is well done it reads nothing here.
        http.said_well(answer.await?).await
    };
    carried
        .await
        .map_err(|trouble: Trouble| bollard::errors::Error::IOError {
            err: Carried(trouble).into_io(),
        })
}

pub(super) fn from_bollard(error: bollard::errors::Error) -> Trouble {
    use bollard::errors::Error as E;
    match error {
        E::DockerResponseServerError {
            status_code,
            message,
        } => Trouble::said(Some(status_code), message),
        E::DockerStreamError { error } => Trouble::said(None, error),
        E::IOError { err } => lost(&err),
        error => lost(&error),
    }
}
