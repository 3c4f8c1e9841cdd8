//! The verbs, one a file.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod ps;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod scale;
pub(crate) mod stop;
pub(crate) mod supervise;
pub(crate) mod up;
pub(crate) mod wait;
