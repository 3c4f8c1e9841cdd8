//! Colours: of names, so that they can be told apart.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Names are told apart by these. Red is for trouble.
const NAMES: [AnsiColor; 10] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightYellow,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
];

/// The colour of a name: the same in every run and every window. Neighbours in a group differ.
pub(super) fn name_style(name: &str) -> Style {
    let group = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let member: u32 = name[group.len()..].parse().unwrap_or(0);
    // FNV-1a: any hash would do that is the same tomorrow.
    let hash = group.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    NAMES[hash.wrapping_add(member) as usize % NAMES.len()].on_default()
}

/// Shows a text in a style, for a stream that takes the style out again where it is not wanted.
pub(crate) fn paint(style: Style, text: impl fmt::Display) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{style}{text}{style:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_a_group_can_be_told_apart() {
        let styles: Vec<Style> = (1..=10).map(|n| name_style(&format!("echo-{n}"))).collect();
        for (at, style) in styles.iter().enumerate() {
            assert!(!styles[..at].contains(style), "echo-{}", at + 1);
        }
    }
}
