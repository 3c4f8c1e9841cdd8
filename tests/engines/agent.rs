//! An agent that is one file: linked statically, it is all that its image has.
//!
//! `agent` says who it is and stays until it is ended; `agent CODE` says so and ends with this code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let id = std::env::var("ALVEARY_AGENT_ID").unwrap_or_default();
    println!("{id} is here");
    if let Some(code) = std::env::args().nth(1) {
        return ExitCode::from(code.parse::<u8>().expect("a code from 0 to 255"));
    }
    loop {
        std::thread::park();
    }
}
