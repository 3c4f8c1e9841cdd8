//! Runs swarms of agent processes on interchangeable backends.

pub use alveary_core::*;
