//! The door: what each request must pass before a route sees it.

pub(crate) mod caller;
pub(crate) mod hosts;
mod origin;
pub(crate) mod rate;

use std::net::IpAddr;

use alveary_agent::protocol::ProblemKind;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use self::caller::Caller;
use self::hosts::Meant;
use super::app::App;
use super::refusal::{Reader, Refusal};

/// Where a connection comes from, and at which of our addresses it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) from: IpAddr,
    pub(crate) reached: IpAddr,
}

/// Lets a request in, with its [`Caller`] among its extensions, or answers it at the door.
pub(crate) async fn door(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut response = match admit(&app, &parts) {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.told(Reader::of(parts.uri.path())),
    };
    shield(response.headers_mut());
    response
}

fn admit(app: &App, request: &Parts) -> Result<Caller, Refusal> {
    let peer = request.extensions.get::<Peer>();
    let authority = match app.hosts().meant(request, peer.map(|peer| peer.reached)) {
        Meant::Us { authority } => authority,
        Meant::Stranger { name } => {
            return Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                ProblemKind::Forbidden,
                format!("this server is not called {name}"),
            )
            .with_cure(
                "call it by an address that it listens on, or give it this name as an allowed host",
            ));
        }
        Meant::Unclear => {
            return Err(Refusal::malformed(
                "a request needs one `Host` that names this server",
            ));
        }
    };
    if origin::is_foreign(request, &authority) {
        return Err(Refusal::forbidden(
            "another site's page may not send requests here",
        ));
    }
    let caller = Caller::of(request, app.tokens(), app.sessions());
    let from = peer.map(|peer| peer.from);
    // Wrong tokens are counted too, under the address that tries them.
    let counted = caller.as_ref().unwrap_or(&Caller::Nobody);
    app.limiter().admit(counted, from).map_err(|wait| {
        Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            ProblemKind::TooManyRequests,
            "there are too many requests of this caller",
        )
        .with_cure("wait as `Retry-After` says")
        .after(wait)
    })?;
    caller.map_err(|_| Refusal::unauthorized("the token is none of this coordinator's"))
}

/// What no answer goes without. A route that has said something of its own keeps it.
fn shield(headers: &mut HeaderMap) {
    const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
    const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: under it a browser calls the origin of our own form `null`.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (RESOURCE_POLICY, "same-origin"),
        (CONTENT_SECURITY_POLICY, NOTHING),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}
