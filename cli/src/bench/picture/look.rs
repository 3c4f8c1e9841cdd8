//! Colours and letters, by day and by night.

use std::fmt::Write as _;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(super) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
pub(super) const GREY: RGBColor = RGBColor(0x59, 0x63, 0x6f);
pub(super) const LINES: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
pub(super) const COLOURS: [RGBColor; 4] = [
    RGBColor(0x25, 0x63, 0xeb),
    RGBColor(0x0d, 0x94, 0x88),
    RGBColor(0xd9, 0x77, 0x06),
    RGBColor(0x93, 0x33, 0xea),
];

/// What each colour becomes where the reader's surroundings are dark.
const AT_NIGHT: [(RGBColor, &str); 8] = [
    (PAPER, "#0d1117"),
    (INK, "#e6edf3"),
    (GREY, "#9aa4af"),
    (LINES, "#2b323b"),
    (COLOURS[0], "#6ea8fe"),
    (COLOURS[1], "#2dd4bf"),
    (COLOURS[2], "#fbbf24"),
    (COLOURS[3], "#c084fc"),
];

pub(super) fn style(size: i32, colour: &RGBColor, to: HPos) -> TextStyle<'_> {
    let font = ("sans-serif", size).into_font();
    TextStyle::from(font)
        .color(colour)
        .pos(Pos::new(to, VPos::Center))
}

/// Says how it looks in the dark. Who cannot read that sees it as it is drawn.
pub(super) fn themed(svg: &str) -> String {
    let mut night = String::new();
    for (day, colour) in AT_NIGHT {
        let RGBColor(red, green, blue) = day;
        let day = format!("#{red:02X}{green:02X}{blue:02X}");
        // A string takes everything that is written into it.
        let _ = write!(
            night,
            "[fill=\"{day}\"]{{fill:{colour}}}[stroke=\"{day}\"]{{stroke:{colour}}}"
        );
    }
    let night = format!(
        "\n<style>text{{font-family:system-ui,sans-serif}}@media(prefers-color-scheme:dark){{{night}}}</style>\n"
    );
    match svg
        .find("<svg")
        .and_then(|at| Some(at + svg[at..].find('>')? + 1))
    {
        Some(at) => format!("{}{night}{}", &svg[..at], svg[at..].trim_start()),
        None => svg.to_owned(),
    }
}
