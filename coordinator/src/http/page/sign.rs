//! Signing a browser in and out.
//!
//! An admin pastes the admin's token once; the browser keeps a session that reads and ends by itself, not the
//! token. Nothing about it is ever in a URL.

use askama::Template;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::SET_COOKIE;

use super::super::app::App;
use super::super::body;
use super::super::guard::caller::Caller;
use super::super::refusal::Reader;
use super::shown;
use crate::token::Principal;

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    wrong: bool,
}

pub(super) async fn form(Extension(caller): Extension<Caller>) -> Response {
    if caller.sees_all() {
        return Redirect::to("/").into_response();
    }
    shown(&Login { wrong: false })
}

pub(super) async fn sign_in(State(app): State<App>, request: Request) -> Response {
    let read = match body::read(request.into_body(), app.guard()).await {
        Ok(read) => read,
        Err(refusal) => return refusal.told(Reader::Person),
    };
    let token = form_urlencoded::parse(&read).find(|(name, _)| name == "token");
    let token = token.map(|(_, token)| token).unwrap_or_default();
    match app.tokens().verify(token.trim()) {
        Some(Principal::Admin) => {
            ([(SET_COOKIE, app.sessions().sign_in())], Redirect::to("/")).into_response()
        }
        _ => (StatusCode::FORBIDDEN, shown(&Login { wrong: true })).into_response(),
    }
}

pub(super) async fn sign_out(State(app): State<App>) -> Response {
    (
        [(SET_COOKIE, app.sessions().sign_out())],
        Redirect::to("/login"),
    )
        .into_response()
}
