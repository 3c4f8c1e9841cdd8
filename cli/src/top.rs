//! The screen of `alveary top`: what it shows, how that is drawn, what keys do, and where all of it comes from.
//!
//! Only `sources` asks anybody, and only `screen` touches the terminal; the rest is a state and a picture of it.

mod aside;
mod cursor;
mod draw;
mod keys;
mod log;
mod model;
mod row;
mod screen;
mod sources;
mod tasks;

pub(crate) use aside::Aside;
pub(crate) use draw::{Looks, draw};
pub(crate) use keys::{Command, key, mouse};
pub(crate) use log::Log;
pub(crate) use model::{Model, Note};
pub(crate) use screen::Screen;
pub(crate) use sources::{News, Sources};
