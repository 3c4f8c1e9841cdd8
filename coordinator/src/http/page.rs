//! The page for people: agents, tasks, auctions and bids, written here and kept fresh by events.
//!
//! There is no build step and nothing from elsewhere: one style sheet, one script, both served here, and a policy
//! that lets nothing else in. Whatever agents and users wrote goes through the templates' escaping.

mod look;
mod sign;
mod view;

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::app::App;
use super::refusal::{Reader, Refusal};

const STYLE: &str = include_str!("../../assets/page.css");
const SCRIPT: &str = include_str!("../../assets/page.js");

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(look::overview))
        .route("/tasks/{id}", get(look::task))
        .route("/login", get(sign::form).post(sign::sign_in))
        .route("/logout", post(sign::sign_out))
        .route(
            "/page.css",
            get(async || asset("text/css; charset=utf-8", STYLE)),
        )
        .route(
            "/page.js",
            get(async || asset("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route("/favicon.ico", get(async || asset("image/svg+xml", ICON)))
}

/// A cell of a comb.
const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#d98e04" d="M8 .5 14.5 4.2v7.6L8 15.5 1.5 11.8V4.2z"/></svg>"##;

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

/// A page as a response.
fn shown(page: &impl askama::Template) -> Response {
    match page.render() {
        Ok(html) => ([(CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            Refusal::unavailable("the page cannot be written").told(Reader::Person)
        }
    }
}
