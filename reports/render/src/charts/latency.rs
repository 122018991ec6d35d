//! Response times of good requests, from when each was due, on a logarithmic scale.
use super::{Area, Drawn, Frame, Size, axis, ink::Ink};
use crate::{series::Bucket, words};
use model::Micros;
use plotters::prelude::*;

/// Nothing faster is told apart, in seconds.
const FLOOR: f64 = 1e-4;

/// Draws one figure of the buckets.
struct Curve {
    ink: Ink,
    width: u32,
    of: fn(&Bucket) -> Option<f64>,
}

const CURVES: [Curve; 2] = [
    Curve {
        ink: Ink::Tail,
        width: 1,
        of: |b| b.p99,
    },
    Curve {
        ink: Ink::Median,
        width: 2,
        of: |b| b.p50,
    },
];

pub(super) fn draw(area: &Area, frame: &Frame, buckets: &[Bucket], width: Micros) -> Drawn {
    let (low, high) = decades(buckets);
    let title = match frame.size {
        Size::Wide => "Response time of good requests: median and 99th percentile",
        Size::Narrow => "Response time: median, 99th percentile",
    };
    let mut chart = axis::builder(area, frame, title)?
        .build_cartesian_2d(frame.from..frame.to, (low * 0.8..high * 1.25).log_scale())?;
    axis::grid(&mut chart, frame, 4, &|y| words::round(*y))?;
    axis::backdrop(&mut chart, frame, (low * 0.8, high * 1.25))?;
    let middle = width.as_secs_f64() / 2.0;
    for curve in &CURVES {
        let point = |b: &Bucket| Some((b.from + middle, (curve.of)(b)?.max(FLOOR)));
        let line = curve.ink.color().stroke_width(curve.width);
        // A stretch without good requests is a gap in the curve, not a straight line across it.
        for run in buckets.split(|b| (curve.of)(b).is_none()) {
            let points: Vec<(f64, f64)> = run.iter().filter_map(point).collect();
            match points.as_slice() {
                [] => {}
                [alone] => {
                    let dot = Circle::new(*alone, 2, curve.ink.color().filled());
                    chart.draw_series([dot])?;
                }
                _ => {
                    chart.draw_series(LineSeries::new(points, line))?;
                }
            }
        }
    }
    Ok(())
}

/// Whole powers of ten around everything, at least two of them.
fn decades(buckets: &[Bucket]) -> (f64, f64) {
    let times = || buckets.iter().flat_map(|b| [b.p50, b.p99]).flatten();
    let low = times().fold(f64::INFINITY, f64::min).max(FLOOR);
    let high = times().fold(FLOOR, f64::max);
    if low > high {
        return (1e-3, 1.0);
    }
    let (first, last) = (low.log10().floor(), high.log10().ceil());
    (10f64.powf(first), 10f64.powf(last.max(first + 2.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_whole_powers_of_ten_around_everything() {
        let bucket = |p50, p99| Bucket {
            from: 0.0,
            good: 1,
            failed: 0,
            p50,
            p99,
        };
        assert_eq!(decades(&[]), (1e-3, 1.0));
        let (low, high) = decades(&[bucket(Some(0.002), Some(0.3)), bucket(None, None)]);
        assert!((low - 1e-3).abs() < 1e-9 && (high - 1.0).abs() < 1e-9);
        let (low, high) = decades(&[bucket(Some(0.002), Some(0.002))]);
        assert!((low - 1e-3).abs() < 1e-9 && (high - 0.1).abs() < 1e-9);
    }
}
