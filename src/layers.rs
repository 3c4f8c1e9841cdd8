//! What is put around a backend, whichever it is: bounds, time limits, retries and traces.

mod options;

pub use options::{AtOnce, LayerOptions, RetryOptions, Timeouts};
