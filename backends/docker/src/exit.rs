//! How a container ended, and who ended it: never a guess.

use alveary_core::{EndedBy, Exit, ExitStatus, Signal};

use crate::asks::{Ask, Sent};
use crate::engine::Container;
use crate::hint;

/// What engines tell of a process that SIGKILL ended, as a shell would.
pub(crate) const KILLED: i32 = 128 + 9;

/// The end of a container that has ended. `ask` is what we are known to have sent to it.
pub(crate) fn of(container: &Container, ask: &Ask) -> Exit {
    let code = container.exit_code;
    let by_kill = code == KILLED && ask.kill == Sent::Yes;
    let status = if by_kill {
        ExitStatus::Signal(Signal::KILL)
    } else if code < 0 {
        ExitStatus::Unknown {
            why: "the engine does not know its code".to_owned(),
        }
    } else {
        ExitStatus::Code(code)
    };
    let mut exit = Exit::new(status, by(container, ask, by_kill)).with_oom(container.oom);
    if let Some(at) = container.finished_at {
        exit = exit.with_at(at);
    }
    match hint::of_memory(container) {
        Some(hint) if exit.by == EndedBy::Itself => exit.with_hint(hint),
        _ => exit,
    }
}

fn by(container: &Container, ask: &Ask, by_kill: bool) -> EndedBy {
    if by_kill {
        EndedBy::UsByForce
    } else if container.oom && container.exit_code == KILLED {
        EndedBy::Engine
    } else if ask.term == Sent::Yes || ask.kill == Sent::Yes {
        EndedBy::Us
    } else if ask.term == Sent::Perhaps || ask.kill == Sent::Perhaps {
        EndedBy::Unknown
    } else {
        EndedBy::Itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::test::ended;

    fn sent(term: Sent, kill: Sent) -> Ask {
        Ask {
            term,
            kill,
            held: Vec::new(),
        }
    }

    #[test]
    fn a_code_of_137_alone_is_neither_memory_nor_us() {
        let exit = of(&ended(137), &Ask::default());
        assert_eq!(
            (exit.status, exit.by, exit.oom),
            (ExitStatus::Code(137), EndedBy::Itself, false)
        );
    }

    #[test]
    fn only_the_engines_flag_is_out_of_memory() {
        let mut container = ended(137);
        container.oom = true;
        let exit = of(&container, &Ask::default());
        assert!(exit.oom);
        assert_eq!(exit.by, EndedBy::Engine);
    }

    #[test]
    fn who_ended_it_is_what_was_sent_and_what_came_of_it() {
        let nothing = || sent(Sent::No, Sent::No);
        let asked = || sent(Sent::Yes, Sent::No);
        let forced = || sent(Sent::Yes, Sent::Yes);
        let perhaps = || sent(Sent::Perhaps, Sent::No);
        for (code, ask, by) in [
            (0, nothing(), EndedBy::Itself),
            (143, asked(), EndedBy::Us),
            (7, asked(), EndedBy::Us),
            (137, asked(), EndedBy::Us),
            (137, forced(), EndedBy::UsByForce),
            // It came to its own end before the force reached it.
            (7, forced(), EndedBy::Us),
            (143, perhaps(), EndedBy::Unknown),
        ] {
            assert_eq!(of(&ended(code), &ask).by, by, "{code} {ask:?}");
        }
    }
}
