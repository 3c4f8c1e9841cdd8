//! How long starts take: measured on a swarm of its own, beside what the same engine takes for the same bare.

pub(crate) mod compare;
pub(crate) mod floor;
pub(crate) mod hive;
pub(crate) mod machine;
pub(crate) mod measure;
pub(crate) mod phases;
pub(crate) mod picture;
pub(crate) mod report;
pub(crate) mod times;
