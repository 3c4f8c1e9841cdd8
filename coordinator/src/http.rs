//! The coordinator over HTTP: the original's routes to the letter, `/v1`, and a page for people.
//!
//! [`Server`] serves; [`Guard`] is how much of what it lets in; [`document`] is what the routes say of
//! themselves. No question, however bad, is answered with a fault of the server's.

mod app;
mod body;
mod fleet;
mod guard;
mod older;
mod openapi;
mod page;
mod refusal;
mod routes;
mod segment;
mod server;
mod session;
mod settings;
mod v1;
mod watch;

pub use fleet::{Fleet, Spawned};
pub use openapi::document;
pub use server::{Listeners, Server};
pub use settings::{Guard, Rate};
/// Ends a [`Server`] when it is cancelled; `tokio_util`'s own.
pub use tokio_util::sync::CancellationToken;
