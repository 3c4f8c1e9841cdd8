//! Running a coordinator, alone or beside a swarm, and the way to one.

mod address;
mod batch;
mod beside;
mod giving;
mod listening;
mod members;
mod place;
mod reach;
mod served;
mod service;
mod settings;
mod sheet;
mod spawning;
mod supplement;
pub(crate) mod task_file;
mod waiting;

pub(crate) use address::Address;
pub(crate) use batch::{Batch, Results};
pub(crate) use beside::Beside;
pub(crate) use giving::give;
pub(crate) use place::Place;
#[cfg(feature = "top")]
pub(crate) use reach::beside;
pub(crate) use reach::{Reach, no_url};
pub(crate) use served::{detached, forget, in_the_foreground};
pub(crate) use service::Service;
pub(crate) use sheet::{Names, short, table};
pub(crate) use supplement::tell_agents;
pub(crate) use waiting::Waiting;
