//! A report as a picture: a lane for each backend, times from left to right.

mod lane;
mod look;

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::report::Report;
use lane::lane;
use look::{COLOURS, GREY, INK, LINES, PAPER, style, themed};

const WIDTH: u32 = 960;
const HEAD: u32 = 92;
const LANE: u32 = 168;
const FOOT: u32 = 50;
const SIDE: u32 = 28;

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

/// A time on the scale, in its own unit and without figures that say nothing.
fn label(millis: f64) -> String {
    let (value, unit) = match millis {
        ..0.9999 => (millis * 1000.0, "µs"),
        0.9999..999.9 => (millis, "ms"),
        _ => (millis / 1000.0, "s"),
    };
    format!("{} {unit}", (value * 100.0).round() / 100.0)
}
