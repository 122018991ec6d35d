//! What every panel draws first: the grid of time, the faults and the windows behind.
use super::{Drawn, FONT, Frame, RIGHT, ink::Ink, text};
use plotters::{
    coord::{ranged1d::ValueFormatter, types::RangedCoordf64},
    prelude::*,
};

/// Space above each plot, for its title.
pub(super) const TITLE: u32 = 24;

/// A builder with the margins that put all panels on one axis.
pub(super) fn builder<'a, 'b>(
    area: &'b super::Area<'a>,
    frame: &Frame,
    title: &str,
) -> Result<ChartBuilder<'b, 'b, SVGBackend<'a>>, DrawingAreaErrorKind<std::io::Error>>
where
    'a: 'b,
{
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_right(RIGHT)
        .margin_top(TITLE)
        .margin_bottom(6)
        .y_label_area_size(frame.size.left());
    let position = (frame.size.left() as i32, 6);
    area.draw(&Text::new(
        title.to_string(),
        position,
        text(Ink::Text, FONT),
    ))?;
    Ok(builder)
}

/// The grid with the ticks of the vertical axis.
pub(super) fn grid<'a, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'a>, Cartesian2d<RangedCoordf64, Y>>,
    frame: &Frame,
    lines: usize,
    label: &dyn Fn(&f64) -> String,
) -> Drawn
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_labels(frame.size.ticks())
        .y_labels(lines)
        .y_max_light_lines(0)
        .x_max_light_lines(0)
        .bold_line_style(Ink::Grid.color())
        .axis_style(Ink::Grid.color())
        .label_style(text(Ink::Muted, FONT * 0.92))
        .y_label_formatter(label)
        .draw()
}

/// Faults, time in doubt and windows, behind everything else.
pub(super) fn backdrop<'a, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'a>, Cartesian2d<RangedCoordf64, Y>>,
    frame: &Frame,
    (bottom, top): (f64, f64),
) -> Drawn
where
    Y: Ranged<ValueType = f64>,
{
    let clip = |at: f64| at.clamp(frame.from, frame.to);
    for fault in &frame.faults {
        let corners = [(clip(fault.from), bottom), (clip(fault.to), top)];
        let shade = Ink::Fault.color().mix(0.16).filled();
        chart.draw_series([Rectangle::new(corners, shade)])?;
        let edges = [clip(fault.from), clip(fault.to)];
        chart.draw_series(edges.map(|x| {
            PathElement::new([(x, bottom), (x, top)], Ink::Fault.color().stroke_width(1))
        }))?;
        chart.draw_series(fault.blows.iter().map(|at| {
            let line = [(clip(*at), bottom), (clip(*at), top)];
            PathElement::new(line, Ink::Failed.color().mix(0.55).stroke_width(1))
        }))?;
    }
    chart.draw_series(frame.doubts.iter().map(|(from, to)| {
        let corners = [(clip(*from), bottom), (clip(*to), top)];
        Rectangle::new(corners, Ink::Doubt.color().mix(0.30).filled())
    }))?;
    chart.draw_series(frame.windows.iter().map(|(from, to)| {
        let corners = [(clip(*from), bottom), (clip(*to), top)];
        Rectangle::new(corners, Ink::Window.color().mix(0.10).filled())
    }))?;
    Ok(())
}
