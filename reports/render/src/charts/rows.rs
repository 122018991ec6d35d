//! Lanes: a row of bars for each pod, each Service's endpoints and the windows, over the one time axis.
use super::{AXIS, Area, Drawn, FONT, Frame, RIGHT, ink::Ink, text};
use crate::lanes::{Bar, Lane, State};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Height of a lane: its name above, its bars below.
const LANE: u32 = 39;
const BAR: i32 = 14;
/// Mean width of a letter inside a bar, in pixels.
const LETTER: f64 = 6.2;
/// A bar of nothing would not be seen.
const WIDTH_MIN: i32 = 2;

pub(super) fn height(lanes: usize) -> u32 {
    lanes as u32 * LANE + 6
}

pub(super) fn draw(area: &Area, frame: &Frame, lanes: &[Lane]) -> Drawn {
    let height = f64::from(height(lanes.len()));
    let mut chart = ChartBuilder::on(area)
        .margin_right(RIGHT)
        .y_label_area_size(frame.size.left())
        .x_label_area_size(AXIS)
        .build_cartesian_2d(frame.from..frame.to, 0.0..height)?;
    chart
        .configure_mesh()
        .x_labels(frame.size.ticks())
        .x_label_formatter(&|x| format!("{} s", trimmed(*x)))
        .x_desc("seconds after the start of the run")
        .disable_y_mesh()
        .disable_y_axis()
        .x_max_light_lines(0)
        .bold_line_style(Ink::Grid.color())
        .axis_style(Ink::Muted.color())
        .label_style(text(Ink::Muted, FONT * 0.92))
        .draw()?;
    super::axis::backdrop(&mut chart, frame, (0.0, height))?;
    for (i, lane) in lanes.iter().enumerate() {
        let top = (i as u32 * LANE) as i32;
        let name = text(Ink::Text, FONT * 0.92);
        let place = (frame.size.left() as i32 + 2, top + 7);
        area.draw(&Text::new(lane.name.clone(), place, name))?;
        for bar in &lane.bars {
            draw_bar(area, frame, bar, top + 22)?;
        }
    }
    Ok(())
}

fn draw_bar(area: &Area, frame: &Frame, bar: &Bar, top: i32) -> Drawn {
    let left = frame.x(bar.from.as_secs_f64());
    let right = frame.x(bar.to.as_secs_f64()).max(left + WIDTH_MIN);
    let corners = [(left, top), (right, top + BAR)];
    let (ink, fill) = look(bar.state);
    if fill > 0.0 {
        area.draw(&Rectangle::new(corners, ink.color().mix(fill).filled()))?;
    }
    if fill < 1.0 {
        area.draw(&Rectangle::new(corners, ink.color().stroke_width(1)))?;
    }
    let needed = bar.text.chars().count() as f64 * LETTER + 6.0;
    if f64::from(right - left) >= needed {
        let on = if fill < 1.0 { Ink::Text } else { Ink::OnBar };
        let middle = Pos::new(HPos::Center, VPos::Center);
        let style = text(on, FONT * 0.84).pos(middle);
        let place = ((left + right) / 2, top + BAR / 2);
        area.draw(&Text::new(bar.text.clone(), place, style))?;
    }
    Ok(())
}

/// Colour and how solid: full where requests are served, half while it changes, an outline where nothing runs.
fn look(state: State) -> (Ink, f64) {
    match state {
        State::Pending => (Ink::Muted, 0.0),
        State::NotReady => (Ink::NotReady, 0.35),
        State::Ready | State::Some => (Ink::Ready, 1.0),
        State::Terminating => (Ink::Terminating, 0.35),
        State::Ended => (Ink::Muted, 0.0),
        State::None | State::Down | State::Failed => (Ink::Failed, 1.0),
        State::Degraded => (Ink::Degraded, 0.45),
        State::Good => (Ink::Good, 1.0),
    }
}

fn trimmed(x: f64) -> String {
    let text = format!("{x:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
