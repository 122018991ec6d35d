//! charts — the timeline of one arm as SVG, drawn by plotters; nothing else names plotters.
//!
//! Panels stand on one time axis: faults, answers per second, response times, lanes of pods and endpoints. Colours are names until
//! `ink` turns them into variables of the page's style sheet, so that one drawing serves light, dark and paper.
mod axis;
mod faults;
mod ink;
mod latency;
mod rows;
mod throughput;

use crate::{lanes, series, words};
use ink::Ink;
use model::{ArmReport, Doubt, Micros};
use plotters::{coord::Shift, prelude::*};

/// A drawing area that becomes text; writing it cannot fail.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Height of the panels of requests, in pixels.
const PANEL: u32 = 150;
/// Space for the ticks of the time axis and its name.
const AXIS: u32 = 40;
/// plotters writes 1/1.24 of the size that it is given: this becomes 12.
const FONT: f64 = 14.9;
/// Room right of the plot, for the last tick's text.
const RIGHT: u32 = 14;

/// Stretches that are less apart than this, in seconds, are drawn as one.
const DOUBTS_APART: f64 = 0.02;

/// For which screen a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Desktops and paper.
    Wide,
    /// Phones.
    Narrow,
}

impl Size {
    fn width(self) -> u32 {
        match self {
            Size::Wide => 1000,
            Size::Narrow => 380,
        }
    }

    /// Room left of the plot, for the ticks.
    fn left(self) -> u32 {
        match self {
            Size::Wide => 64,
            Size::Narrow => 50,
        }
    }

    fn ticks(self) -> usize {
        match self {
            Size::Wide => 11,
            Size::Narrow => 5,
        }
    }

    /// So many buckets are told apart.
    fn buckets(self) -> u64 {
        match self {
            Size::Wide => 220,
            Size::Narrow => 80,
        }
    }
}

/// What all panels share.
struct Frame {
    size: Size,
    /// The time axis, in seconds of the run.
    from: f64,
    to: f64,
    faults: Vec<faults::Shade>,
    windows: Vec<(f64, f64)>,
    /// Time that is unknown, or the machine's.
    doubts: Vec<(f64, f64)>,
}

impl Frame {
    fn plot_width(&self) -> f64 {
        f64::from(self.size.width() - self.size.left() - RIGHT)
    }

    /// Pixels of a stretch of time.
    fn pixels(&self, seconds: f64) -> f64 {
        seconds / (self.to - self.from) * self.plot_width()
    }

    /// Horizontal pixel of an instant.
    fn x(&self, at: f64) -> i32 {
        self.size.left() as i32 + self.pixels(at - self.from).round() as i32
    }
}

/// The timeline of one arm; `None` where nothing happened.
pub(crate) fn timeline(arm: &ArmReport, size: Size) -> Option<String> {
    let (from, to) = lanes::drawn(&arm.timeline);
    let windows = &arm.judgement.windows;
    let (rows, _) = lanes::lanes(&arm.plan, &arm.timeline, windows, (from, to));
    let requests: Vec<_> = arm
        .plan
        .loads()
        .flat_map(|(step, _)| arm.timeline.requests(step))
        .collect();
    if rows.is_empty() && requests.is_empty() {
        return None;
    }
    let frame = Frame {
        size,
        from: from.as_secs_f64(),
        to: to.as_secs_f64(),
        faults: faults::shades(&arm.plan, &arm.timeline, to),
        windows: windows
            .iter()
            .map(|w| (w.from.as_secs_f64(), w.to.as_secs_f64()))
            .collect(),
        doubts: doubts(&arm.judgement.doubts),
    };
    let due: Vec<Micros> = requests.iter().map(|(due, _)| *due).collect();
    let width = series::width(to - from, &due, size.buckets());
    let buckets = series::buckets(requests.into_iter(), width);
    let svg = drawing(&frame, &buckets, width, &rows);
    let label = format!(
        "Requests, response times, pods and endpoints of arm {} over time, {} to {} after the start",
        arm.plan.arm,
        words::seconds(frame.from),
        words::seconds(frame.to)
    );
    Some(ink::themed(&svg, &label))
}

/// Stretches of time in doubt, those without a visible pause between them as one: there may be thousands.
fn doubts(doubts: &[Doubt]) -> Vec<(f64, f64)> {
    let mut all: Vec<(f64, f64)> = doubts
        .iter()
        .map(|d| (d.from.as_secs_f64(), d.to.as_secs_f64()))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut shown: Vec<(f64, f64)> = vec![];
    for (from, to) in all {
        match shown.last_mut() {
            Some((_, until)) if from <= *until + DOUBTS_APART => *until = until.max(to),
            _ => shown.push((from, to)),
        }
    }
    shown
}

fn drawing(
    frame: &Frame,
    buckets: &[series::Bucket],
    width: Micros,
    rows: &[lanes::Lane],
) -> String {
    let panels = if buckets.is_empty() { 0 } else { 2 };
    let (marks, lanes) = (faults::height(frame), rows::height(rows.len()));
    let height = marks + panels * PANEL + lanes + AXIS;
    let mut svg = String::new();
    {
        let root =
            SVGBackend::with_string(&mut svg, (frame.size.width(), height)).into_drawing_area();
        let drawn = || -> Drawn {
            let (top, rest) = root.split_vertically(marks);
            faults::draw(&top, frame)?;
            let (upper, lower) = rest.split_vertically(panels * PANEL);
            if panels > 0 {
                let (answers, times) = upper.split_vertically(PANEL);
                throughput::draw(&answers, frame, buckets, width)?;
                latency::draw(&times, frame, buckets, width)?;
            }
            rows::draw(&lower, frame, rows)?;
            root.present()
        };
        drawn().expect("a string takes everything that is written");
    }
    svg
}

/// Text of the usual size.
fn text(ink: Ink, size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&ink.color())
}
