//! A report as a picture: a lane for each backend, times from left to right.

use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{Report, Run, STEPS};
use super::times::{Times, shown};

const WIDTH: u32 = 960;
const HEAD: u32 = 92;
const LANE: u32 = 168;
const FOOT: u32 = 50;
const SIDE: u32 = 28;

/// Where in a lane its bars stand, and how high the highest is; the rest is for words.
const GROUND: f64 = 0.06;
const HEIGHT: f64 = 0.5;

const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const GREY: RGBColor = RGBColor(0x59, 0x63, 0x6f);
const LINES: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
const COLOURS: [RGBColor; 4] = [
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

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<LogCoord<f64>, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws it, as SVG. The error says what could not be drawn.
pub(crate) fn draw(report: &Report) -> Result<String, String> {
    let mut svg = String::new();
    drawn(report, &mut svg).map_err(|error| error.to_string())?;
    Ok(themed(&svg))
}

fn drawn(report: &Report, svg: &mut String) -> Drawn {
    let lanes = u32::try_from(report.runs.len())?;
    let area =
        SVGBackend::with_string(svg, (WIDTH, HEAD + LANE * lanes + FOOT)).into_drawing_area();
    area.fill(&PAPER)?;
    head(&area, report)?;
    let range = range(report);
    let mut chart = ChartBuilder::on(&area)
        .margin_top(HEAD)
        .margin_left(SIDE)
        .margin_right(SIDE)
        .x_label_area_size(FOOT)
        .build_cartesian_2d((range.0..range.1).log_scale(), 0.0..f64::from(lanes))?;
    scale(&mut chart, range, f64::from(lanes))?;
    let under = (
        i32::try_from(WIDTH / 2)?,
        i32::try_from(HEAD + LANE * lanes + FOOT - 12)?,
    );
    let what = match report.asked.at_once {
        1 => "one start, from the call until the agent runs (log scale)".to_owned(),
        many => format!("{many} starts at once, until the last agent runs (log scale)"),
    };
    write(&area, &what, under, 13, &GREY, HPos::Center)?;
    let bars = bars_for(report, range);
    for (n, run) in report.runs.iter().enumerate() {
        let floor = f64::from(lanes - 1 - u32::try_from(n)?);
        let version = run
            .engine
            .as_ref()
            .filter(|engine| **engine != report.alveary);
        let title = version.map_or_else(
            || run.backend.clone(),
            |engine| format!("{} {engine}", run.backend),
        );
        lane(
            &mut chart,
            run,
            &title,
            (floor, range, bars),
            COLOURS[n % COLOURS.len()],
        )?;
    }
    area.present()?;
    Ok(())
}

/// What it is about, and what its signs mean.
fn head(area: &Area<'_>, report: &Report) -> Drawn {
    let mut agents: Vec<&str> = report.runs.iter().map(|run| run.agent.as_str()).collect();
    agents.dedup();
    let left = i32::try_from(SIDE)?;
    let title = format!("How long a start of {} takes", agents.join(", "));
    write(area, &title, (left, 22), 21, &INK, HPos::Left)?;
    let many = match report.asked.at_once {
        1 => String::new(),
        many => format!(" · {many} at once"),
    };
    let under = format!(
        "alveary {}{many} · {} · load {:.1}",
        report.alveary,
        report.machine.title(),
        report.machine.load_before
    );
    write(area, &under, (left, 50), 13, &GREY, HPos::Left)?;
    legend(area, left, 72)
}

fn legend(area: &Area<'_>, left: i32, y: i32) -> Drawn {
    let sign = |x: i32| [(x, y - 1), (x + 22, y + 10)];
    area.draw(&Rectangle::new(sign(left), COLOURS[0].mix(0.55).filled()))?;
    write(
        area,
        "by alveary",
        (left + 30, y + 4),
        13,
        &GREY,
        HPos::Left,
    )?;
    let x = left + 130;
    area.draw(&Rectangle::new(sign(x), INK.stroke_width(1)))?;
    write(
        area,
        "the bare engine, in turn",
        (x + 30, y + 4),
        13,
        &GREY,
        HPos::Left,
    )?;
    let x = x + 210;
    area.draw(&PathElement::new(
        vec![(x + 8, y - 4), (x + 8, y + 12)],
        INK.stroke_width(2),
    ))?;
    write(
        area,
        "half are faster (p50)",
        (x + 18, y + 4),
        13,
        &GREY,
        HPos::Left,
    )?;
    let x = x + 172;
    area.draw(&DashedPathElement::new(
        vec![(x + 8, y - 4), (x + 8, y + 12)],
        3,
        3,
        INK.stroke_width(1),
    ))?;
    write(
        area,
        "99 of 100 are (p99)",
        (x + 18, y + 4),
        13,
        &GREY,
        HPos::Left,
    )
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    colour: &RGBColor,
    to: HPos,
) -> Drawn {
    area.draw(&Text::new(text.to_owned(), at, style(size, colour, to)))?;
    Ok(())
}

fn style(size: i32, colour: &RGBColor, to: HPos) -> TextStyle<'_> {
    let font = ("sans-serif", size).into_font();
    TextStyle::from(font)
        .color(colour)
        .pos(Pos::new(to, VPos::Center))
}

/// From where to where times reach, with some room, in milliseconds.
fn range(report: &Report) -> (f64, f64) {
    let times = report.runs.iter().flat_map(|run| {
        let step = run.whole();
        run.phases.get(step).into_iter().chain(run.floor_of(step))
    });
    let (mut low, mut high) = (f64::MAX, 0.0f64);
    for times in times {
        low = low.min(times.percentile(0).max(0.001));
        high = high.max(times.percentile(100));
    }
    if low > high {
        return (0.1, 10.0);
    }
    // A scale of less than half a decade would make much of little.
    let room = (3.2 / (high / low)).max(1.0).sqrt();
    let (low, high) = (low / room, high * room);
    // So that what stands beside the marks has room.
    let whole = high / low;
    (low / whole.powf(0.08), high * whole.powf(0.1))
}

/// Where times are, in a line under all lanes and up through them.
fn scale(chart: &mut Chart<'_>, range: (f64, f64), top: f64) -> Drawn {
    let fine = range.1 / range.0 < 200.0;
    let within = |time: &f64| (range.0..=range.1).contains(time);
    let steps: &[f64] = if fine { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let ticks = (-4..7).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
    let ticks: Vec<f64> = ticks.filter(within).collect();
    chart.draw_series(
        ticks
            .iter()
            .map(|at| PathElement::new(vec![(*at, 0.0), (*at, top)], LINES)),
    )?;
    chart.draw_series([PathElement::new(vec![(range.0, 0.0), (range.1, 0.0)], GREY)])?;
    chart.draw_series(ticks.iter().map(|at| {
        EmptyElement::at((*at, 0.0))
            + Text::new(label(*at), (0, 14), style(13, &GREY, HPos::Center))
    }))?;
    Ok(())
}

/// The fewer times there are, the wider the bars.
fn bars_for(report: &Report, range: (f64, f64)) -> usize {
    let counts = report
        .runs
        .iter()
        .filter_map(|run| Some(run.phases.get(run.whole())?.len()));
    let a_decade = (counts.max().unwrap_or_default().isqrt() * 2).clamp(12, 28);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a range has few decades, and not less than none"
    )]
    let decades = (range.1 / range.0).log10().ceil() as usize;
    (a_decade * decades).clamp(36, 140)
}

/// One run: its bars, the bare engine's outline, the two marks, and what they come to.
fn lane(
    chart: &mut Chart<'_>,
    run: &Run,
    title: &str,
    (lane, range, count): (f64, (f64, f64), usize),
    colour: RGBColor,
) -> Drawn {
    let step = run.whole();
    let Some(ours) = run.phases.get(step) else {
        return Ok(());
    };
    let (ours_in, bare) = (
        bars(ours, range, count),
        run.floor_of(step).map(|bare| bars(bare, range, count)),
    );
    let highest = ours_in
        .iter()
        .chain(bare.iter().flatten())
        .copied()
        .fold(0.0, f64::max)
        .max(f64::EPSILON);
    let ground = lane + GROUND;
    let height = |share: f64| ground + HEIGHT * share / highest;
    let filled = ours_in
        .iter()
        .enumerate()
        .filter(|(_, share)| **share > 0.0)
        .map(|(n, share)| {
            Rectangle::new(
                [
                    (edge(range, n, count), ground),
                    (edge(range, n + 1, count), height(*share)),
                ],
                colour.mix(0.55).filled(),
            )
        });
    chart.draw_series(filled)?;
    let line = vec![(range.0, ground), (range.1, ground)];
    chart.draw_series([PathElement::new(line, LINES)])?;
    if let Some(bare) = &bare {
        chart.draw_series([PathElement::new(
            outline(bare, range, ground, height),
            INK.stroke_width(1),
        )])?;
    }
    marks(chart, ours, (ground, ground + HEIGHT), colour)?;
    words(chart, run, title, (lane, range), colour)
}

fn marks(chart: &mut Chart<'_>, times: &Times, (from, to): (f64, f64), colour: RGBColor) -> Drawn {
    let (p50, p99) = (times.percentile(50), times.percentile(99));
    let up = |at: f64| vec![(at, from), (at, to + 0.12)];
    chart.draw_series([PathElement::new(up(p50), colour.stroke_width(2))])?;
    chart.draw_series([DashedPathElement::new(
        up(p99),
        4,
        4,
        colour.stroke_width(1),
    )])?;
    let named = [(p50, "p50", HPos::Right, -4), (p99, "p99", HPos::Left, 4)];
    chart.draw_series(named.into_iter().map(|(at, name, side, aside)| {
        let text = Text::new(
            format!("{name} {}", shown(at)),
            (aside, 0),
            style(13, &colour, side),
        );
        EmptyElement::at((at, to + 0.08)) + text
    }))?;
    Ok(())
}

/// Whose times they are and what is beside them, above; where they go, below.
fn words(
    chart: &mut Chart<'_>,
    run: &Run,
    title: &str,
    (lane, range): (f64, (f64, f64)),
    colour: RGBColor,
) -> Drawn {
    let steps = STEPS.iter().filter(|step| **step != run.whole());
    let parts: Vec<String> = steps
        .filter_map(|step| {
            Some(format!(
                "{step} {}",
                shown(run.phases.get(*step)?.percentile(50))
            ))
        })
        .collect();
    let count = run.phases.get(run.whole()).map_or(0, Times::len);
    let parts = format!("{count} × {} · {}", run.whole(), parts.join(" · "));
    let beside = match (run.floor_of(run.whole()), run.ratio(run.whole(), 50)) {
        (Some(bare), Some(ratio)) => {
            format!(
                "{ratio:.2} × the bare engine's {}",
                shown(bare.percentile(50))
            )
        }
        _ => "beside no bare engine".to_owned(),
    };
    let (left, right) = ((range.0, lane + 0.93), (range.1, lane + 0.93));
    let bold = ("sans-serif", 16).into_font().style(FontStyle::Bold);
    let bold = TextStyle::from(bold)
        .color(&colour)
        .pos(Pos::new(HPos::Left, VPos::Center));
    chart.draw_series([EmptyElement::at(left) + Text::new(title.to_owned(), (0, 0), bold)])?;
    chart.draw_series([
        EmptyElement::at((range.0, lane + 0.81))
            + Text::new(parts, (0, 0), style(13, &GREY, HPos::Left)),
        EmptyElement::at(right) + Text::new(beside, (0, 0), style(14, &INK, HPos::Right)),
    ])?;
    Ok(())
}

/// Which part of the times falls into each bar.
#[expect(clippy::cast_precision_loss, reason = "nobody measures that often")]
fn bars(times: &Times, range: (f64, f64), count: usize) -> Vec<f64> {
    let mut bars = vec![0.0; count];
    let one = 1.0 / times.len().max(1) as f64;
    for time in times.samples() {
        let place = (time.max(range.0) / range.0).ln() / (range.1 / range.0).ln() * count as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not below nought, and is cut to the bars that there are"
        )]
        let place = (place as usize).min(count - 1);
        bars[place] += one;
    }
    bars
}

/// Where a bar begins.
fn edge(range: (f64, f64), n: usize, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are a hundred")]
    let part = n as f64 / count as f64;
    range.0 * (range.1 / range.0).powf(part)
}

/// The line around bars.
fn outline(
    bars: &[f64],
    range: (f64, f64),
    ground: f64,
    height: impl Fn(f64) -> f64,
) -> Vec<(f64, f64)> {
    let stands = |share: &f64| *share > 0.0;
    let first = bars.iter().position(stands).unwrap_or_default();
    let last = bars.iter().rposition(stands).unwrap_or_default();
    let edge = |n| edge(range, n, bars.len());
    let mut line = vec![(edge(first), ground)];
    for (n, share) in bars.iter().enumerate().take(last + 1).skip(first) {
        let high = height(*share);
        line.extend([(edge(n), high), (edge(n + 1), high)]);
    }
    line.push((edge(last + 1), ground));
    line
}

/// A time on the scale, in its own unit and without figures that say nothing.
fn label(millis: f64) -> String {
    let (value, unit) = match millis {
        ..0.9999 => (millis * 1000.0, "µs"),
        0.9999..999.9 => (millis, "ms"),
        _ => (millis / 1000.0, "s"),
    };
    format!("{} {unit}", (value * 100.0).round() / 100.0)
}

/// Says how it looks in the dark. Who cannot read that sees it as it is drawn.
fn themed(svg: &str) -> String {
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
