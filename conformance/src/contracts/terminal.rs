//! Nothing that agents say is changed on the way; making it harmless is for those who show it.
//!
//! That a terminal is shown none of it raw is tried where it is shown, in the command line's own tests; that
//! errors cannot drive one, in `errors.rs`.

use crate::behaviour::Behaviour;
use crate::need::Need;
use crate::swarm::Swarm;
use crate::trial::{Verdict, ensure_eq, trials};

trials!(Terminal:
    escape_sequences_in_output_are_kept_as_they_are [Need::ByteExactLogs],
);

async fn escape_sequences_in_output_are_kept_as_they_are(swarm: Swarm) -> Verdict {
    let written = b"\x1b[31mred\x1b[0m\r\x07\x1b]0;title\x07\x9b2J\xe2\x80\xae\n";
    let read = swarm.output_of(&Behaviour::print(written)).await?;
    ensure_eq!(read, written, "a pipe gets what was written");
    Ok(())
}
