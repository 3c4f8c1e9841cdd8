//! One run: how often each time came, and what they come to.

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::look::{GREY, INK, LINES, style};
use super::{Chart, Drawn};
use crate::bench::report::{Run, STEPS};
use crate::bench::times::{Times, shown};

/// Where in a lane its bars stand, and how high the highest is; the rest is for words.
const GROUND: f64 = 0.06;
const HEIGHT: f64 = 0.5;

/// One run: its bars, the bare engine's outline, the two marks, and what they come to.
pub(super) fn lane(
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
