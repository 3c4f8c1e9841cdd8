//! What a coordinator promises, below every transport.
//!
//! Where time matters it stands still, and passes when a test says so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

#[path = "semantics/agents.rs"]
mod agents;
#[path = "semantics/attempts.rs"]
mod attempts;
#[path = "semantics/auctions.rs"]
mod auctions;
#[path = "semantics/bed.rs"]
mod bed;
#[path = "semantics/events.rs"]
mod events;
#[path = "semantics/file.rs"]
mod file;
#[path = "semantics/giving.rs"]
mod giving;
#[path = "semantics/recovery.rs"]
mod recovery;
#[path = "semantics/reports.rs"]
mod reports;
#[path = "semantics/together.rs"]
mod together;
