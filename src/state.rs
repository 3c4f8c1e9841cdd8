//! What a swarm keeps on disk: who it is, who its members are, and who restarts them.
//!
//! | file in the folder | what it holds |
//! |---|---|
//! | `swarm.json` | the swarm's uid, the fleet file and the backend that it belongs to |
//! | `members.jsonl` | its members and what is desired of each: a journal, one change a line |
//! | `state.lock` | held for the moment in which one of the two is written |
//! | `lease` | held for as long as a process restarts the swarm's agents |
//! | `starts/` | held while an agent is started, so that a stop in another process waits for it; and by whoever is to start those that are recorded |
//! | a backend's word | that backend's own |

mod engine_lease;
mod files;
mod folder;
mod gates;
mod host;
mod intender;
mod journal;
mod lease;
mod records;
mod secrets;
mod swarm;
mod trust;

pub(crate) use engine_lease::{Candidate, EngineLease, Holder, RENEWED, whose};
pub(crate) use files::Patience;
pub(crate) use folder::{Folder, default_root, swarms_in};
pub(crate) use gates::{Gates, StartGuard};
pub(crate) use host::wall_millis;
pub(crate) use intender::Intender;
pub(crate) use journal::{Journal, Touched};
pub(crate) use lease::Lease;
pub use lease::LeaseHolder;
pub use records::Desired;
pub(crate) use records::{Change, GaveUp, Record, Records};
pub(crate) use secrets::{LeftSecrets, secrets_dir};
pub use swarm::SwarmRecord;
pub(crate) use swarm::{Claim, Way};
