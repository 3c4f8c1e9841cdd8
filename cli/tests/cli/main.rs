//! The program as a person or a script meets it: through its own binary, each test with a swarm of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod aborting;
mod answering;
mod bad_days;
mod bad_input;
mod beginning;
mod beside;
mod booting;
mod collecting;
mod copying;
mod counting;
mod damage;
mod detached;
mod exemplary;
mod foreground;
mod happening;
mod hive;
#[cfg(feature = "import")]
mod importing;
mod listing;
mod manual;
mod measuring;
mod offering;
mod ordered_end;
mod output;
mod pausing;
#[cfg(feature = "top")]
mod pressing;
mod printing;
#[cfg_attr(
    not(feature = "top"),
    expect(dead_code, reason = "only `top` has the screen for itself")
)]
mod pty;
mod racing;
mod reading;
#[cfg(feature = "docker-api")]
mod silent;
mod spawning;
mod spending;
mod supervisors;
mod tally;
mod terminal;
#[cfg(feature = "top")]
mod topping;
mod verbs;
mod watching;
