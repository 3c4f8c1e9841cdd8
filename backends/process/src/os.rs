//! What is Linux's alone, behind narrow interfaces: processes, control groups, files.
//!
//! All `unsafe` of this crate stands in `spawn`, `inherited`, `ended` and `socket`.

pub(crate) mod cgroup;
#[expect(
    unsafe_code,
    reason = "registering a descriptor with the reactor is a promise not to close it"
)]
pub(crate) mod ended;
pub(crate) mod files;
#[expect(
    unsafe_code,
    reason = "what an earlier program of this process has left open is nobody's"
)]
pub(crate) mod inherited;
pub(crate) mod passing;
pub(crate) mod process;
#[expect(
    unsafe_code,
    reason = "registering a descriptor with the reactor is a promise not to close it"
)]
pub(crate) mod socket;
#[expect(
    unsafe_code,
    reason = "what happens between fork and exec cannot be said safely"
)]
pub(crate) mod spawn;
pub(crate) mod streams;
pub(crate) mod surroundings;
pub(crate) mod usage;
