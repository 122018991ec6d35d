//! Where faults began, were proven and were undone.
use super::{Area, Drawn, FONT, Frame, RIGHT, ink::Ink, text};
use crate::words;
use model::{Course, Fact, FaultKind, Micros, Plan, Timeline};
use plotters::prelude::*;

/// Rows of text of one fault: its name and its instants.
const ROWS: u32 = 34;
/// Mean width of a letter of the small text, in pixels.
const LETTER: f64 = 5.9;

/// A fault on the time axis, in seconds of the run.
pub(super) struct Shade {
    name: String,
    pub from: f64,
    pub to: f64,
    /// `injected`, `proven`, `undone`, with when.
    marks: Vec<(f64, &'static str)>,
    /// When its blows were dealt.
    pub blows: Vec<f64>,
}

/// A fault is shaded until it was undone, or proven where nothing is to undo, or to the end of the plot.
pub(super) fn shades(plan: &Plan, timeline: &Timeline, end: Micros) -> Vec<Shade> {
    words::fault_steps(plan)
        .filter(|(_, kind)| !matches!(kind, FaultKind::None { .. }))
        .filter_map(|(step, kind)| {
            let marks: Vec<(f64, &str)> = timeline
                .all()
                .iter()
                .filter(|o| o.at <= end)
                .filter_map(|o| Some((o.at.as_secs_f64(), mark(&o.fact, &step.name)?)))
                .filter(|(_, word)| *word != "undone" || kind.needs_undo())
                .collect();
            let at = |word| marks.iter().find(|(_, w)| *w == word).map(|(at, _)| *at);
            let over = match kind.needs_undo() {
                true => at("undone"),
                false => at("proven"),
            };
            Some(Shade {
                name: format!("{}: {}", step.name, words::fault(kind)),
                from: at("injected")?,
                to: over.unwrap_or(end.as_secs_f64()),
                marks,
                blows: blows(timeline, &step.name, end),
            })
        })
        .collect()
}

fn blows(timeline: &Timeline, name: &str, end: Micros) -> Vec<f64> {
    let made =
        |fact: &Fact| matches!(fact, Fact::Strike(s) if s.step == name && s.course == Course::Made);
    let those = timeline
        .all()
        .iter()
        .filter(|o| o.at <= end && made(&o.fact));
    those.map(|o| o.at.as_secs_f64()).collect()
}

fn mark(fact: &Fact, name: &str) -> Option<&'static str> {
    match fact {
        Fact::Injected { step, .. } if step == name => Some("injected"),
        Fact::Proven { step, .. } if step == name => Some("proven"),
        Fact::Unproven { step, .. } if step == name => Some("not proven"),
        Fact::Undone { step, .. } if step == name => Some("undone"),
        Fact::UndoFailed { step, .. } if step == name => Some("undo failed"),
        _ => None,
    }
}

pub(super) fn height(frame: &Frame) -> u32 {
    frame.faults.len() as u32 * ROWS
}

pub(super) fn draw(area: &Area, frame: &Frame) -> Drawn {
    let right = f64::from(frame.size.width() - RIGHT);
    for (row, fault) in frame.faults.iter().enumerate() {
        let top = row as i32 * ROWS as i32;
        let name = text(Ink::Text, FONT);
        let width = fault.name.chars().count() as f64 * LETTER * 1.1;
        let x = f64::from(frame.x(fault.from)).min(right - width).max(0.0);
        area.draw(&Text::new(fault.name.clone(), (x as i32, top + 2), name))?;
        for (at, _) in &fault.marks {
            let x = frame.x(at.clamp(frame.from, frame.to));
            let tick = [(x, top + 18), (x, top + ROWS as i32)];
            area.draw(&PathElement::new(tick, Ink::Fault.color().stroke_width(2)))?;
        }
        for at in &fault.blows {
            let x = frame.x(at.clamp(frame.from, frame.to));
            let tick = [(x, top + 24), (x, top + ROWS as i32)];
            area.draw(&PathElement::new(tick, Ink::Failed.color().stroke_width(1)))?;
        }
        for (x, words) in labels(frame, &fault.marks) {
            let width = words.chars().count() as f64 * LETTER;
            let start = match x + 4.0 + width < right {
                true => x + 4.0,
                false => x - 4.0 - width,
            };
            let small = text(Ink::Muted, FONT * 0.9);
            area.draw(&Text::new(words, (start as i32, top + 19), small))?;
        }
    }
    Ok(())
}

/// Marks that stand too close for a word between them share a label, right of the last.
fn labels(frame: &Frame, marks: &[(f64, &str)]) -> Vec<(f64, String)> {
    let mut labels: Vec<(f64, String)> = vec![];
    for (at, word) in marks {
        let x = f64::from(frame.x(at.clamp(frame.from, frame.to)));
        match labels.last_mut() {
            Some((before, words)) if x < *before + 8.0 + words.chars().count() as f64 * LETTER => {
                *before = x;
                words.push_str(", ");
                words.push_str(word);
            }
            _ => labels.push((x, word.to_string())),
        }
    }
    labels
}
