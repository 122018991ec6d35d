//! Requests answered well and failed, per second.
use super::{Area, Drawn, Frame, Size, axis, ink::Ink};
use crate::{series::Bucket, words};
use model::Micros;
use plotters::prelude::*;

pub(super) fn draw(area: &Area, frame: &Frame, buckets: &[Bucket], width: Micros) -> Drawn {
    let seconds = width.as_secs_f64();
    let rate = |n: u32| f64::from(n) / seconds;
    let most = buckets.iter().map(|b| rate(b.good + b.failed));
    let top = most.fold(1.0, f64::max) * 1.08;
    let step = words::round(width.as_secs_f64());
    let title = match frame.size {
        Size::Wide => {
            format!("Requests a second, by the time each was due, in steps of {step}")
        }
        Size::Narrow => format!("Requests a second, in steps of {step}"),
    };
    let mut chart =
        axis::builder(area, frame, &title)?.build_cartesian_2d(frame.from..frame.to, 0.0..top)?;
    axis::grid(&mut chart, frame, 4, &|y| format!("{y:.0}"))?;
    axis::backdrop(&mut chart, frame, (0.0, top))?;
    // A hair of space between bars, so that they do not become a wall of colour; but not where rounding to pixels would make a
    // pattern of it.
    let hair = if frame.pixels(seconds) < 6.0 {
        0.0
    } else {
        0.06
    };
    let bar = |b: &Bucket, from: u32, to: u32, ink: Ink| {
        let (left, right) = (b.from + seconds * hair, b.from + seconds * (1.0 - hair));
        Rectangle::new(
            [(left, rate(from)), (right, rate(to))],
            ink.color().filled(),
        )
    };
    let good = buckets.iter().filter(|b| b.good > 0);
    chart.draw_series(good.map(|b| bar(b, 0, b.good, Ink::Good)))?;
    let failed = buckets.iter().filter(|b| b.failed > 0);
    chart.draw_series(failed.map(|b| bar(b, b.good, b.good + b.failed, Ink::Failed)))?;
    Ok(())
}
