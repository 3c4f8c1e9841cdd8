//! The manager through its public face: over memory, over a shared state folder, and on bad days.

mod alive;
mod auto;
mod bad_days;
mod basics;
mod called_off;
mod engine_away;
mod engine_restarts;
mod house;
mod intents;
mod lease;
mod lines;
mod meanwhile;
mod ready;
mod replaced;
mod restart;
mod shared;
mod silent_engine;
mod supplements;
mod taken_away;
mod up;
