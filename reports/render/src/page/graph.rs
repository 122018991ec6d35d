//! Who asked whom: the services of the run with what went between them, as a drawing and as a table of the same numbers.
use crate::{
    layout::{self, Line, NARROW, Place, Sheet, WIDE},
    words,
};
use maud::{Markup, html};
use model::{ArmReport, Edge, Graph, graph::LOAD_WORKER, metric::Unit};
use std::collections::BTreeSet;

pub(super) fn of(arm: &ArmReport) -> Markup {
    let graph = &arm.judgement.graph;
    if graph.is_empty() {
        return html! {};
    }
    html! {
        h3 { "Who asked whom" }
        figure.graph {
            div.wide { (drawing(graph, WIDE)) }
            div.narrow { (drawing(graph, NARROW)) }
            figcaption {
                "Solid lines are calls, from the load worker's own requests and from what the services count of theirs; dashed lines are "
                "events, from who publishes a type to who handles it. Rates are over the "
                (words::seconds(graph.seconds)) " of the steps; numbers are those of the table, which has the rest where there was no room."
            }
        }
        (table(graph))
    }
}

fn drawing(graph: &Graph, sheet: Sheet) -> Markup {
    let spoken = |edges: &[(usize, &Edge)]| size(&texts(edges));
    // Words that would lie on each other are left to the table, and where there is no room beside the lines all of them.
    let crowded = sheet
        .is_beside
        .then(|| crowded(&layout::of(graph, sheet, spoken).lines));
    let has_words = |edges: &[(usize, &Edge)]| {
        let crowded = crowded.as_ref();
        crowded.is_some_and(|crowded| !crowded.contains(&edges[0].0))
    };
    let layout = layout::of(graph, sheet, |edges| match has_words(edges) {
        true => spoken(edges),
        false => (10.0 + 7.0 * numbers(edges).len() as f64, 18.0),
    });
    let named = graph
        .edges
        .iter()
        .map(Edge::written)
        .collect::<Vec<_>>()
        .join(", ");
    html! {
        svg role="img" aria-label={ "Who asked whom: " (named) } viewBox={ "0 0 " (layout.width) " " (layout.height) } {
            @for line in &layout.lines { (way(line)) }
            @for (name, place) in &layout.nodes { (node(name, place)) }
            @for line in &layout.lines {
                @if has_words(&line.edges) { (words_on(line)) } @else { (number_on(line)) }
            }
        }
    }
}

/// The number of a line's first edge, which no other line has.
fn first(line: &Line) -> usize {
    line.edges[0].0
}

/// Lines with words on them that another line's lie on.
fn crowded(lines: &[Line]) -> BTreeSet<usize> {
    let meet = |a: &Place, b: &Place| {
        2.0 * (a.x - b.x).abs() < a.width + b.width && 2.0 * (a.y - b.y).abs() < a.height + b.height
    };
    let is_met = |line: &&Line| {
        let others = lines.iter().filter(|other| first(other) != first(line));
        { others }.any(|other| meet(&line.label, &other.label))
    };
    lines.iter().filter(is_met).map(first).collect()
}

/// `call`, `event`, with `bad` where errors were.
fn class(line: &Line) -> String {
    let (_, first) = line.edges[0];
    let kind = if first.event.is_some() {
        "event"
    } else {
        "call"
    };
    let bad = line.edges.iter().any(|(_, e)| e.errors > 0);
    format!("{kind}{}", if bad { " bad" } else { "" })
}

fn way(line: &Line) -> Markup {
    let [a, b, c, d] = line.curve.map(|(x, y)| format!("{x:.1} {y:.1}"));
    html! {
        path class={ "way " (class(line)) } d={ "M" (a) "C" (b) " " (c) " " (d) } {}
        polygon class={ "tip " (class(line)) } points=(tip(line)) {}
    }
}

/// An arrow's head at the end of the way.
fn tip(line: &Line) -> String {
    let (x, y) = line.curve[3];
    let (bx, by) = layout::point(&line.curve, 0.94);
    let length = (x - bx).hypot(y - by).max(0.001);
    let (dx, dy) = ((x - bx) / length, (y - by) / length);
    let corner = |side: f64| {
        (
            x - 9.0 * dx - 4.0 * side * dy,
            y - 9.0 * dy + 4.0 * side * dx,
        )
    };
    let points = [(x, y), corner(1.0), corner(-1.0)];
    points.map(|(x, y)| format!("{x:.1},{y:.1}")).join(" ")
}

fn node(name: &str, place: &Place) -> Markup {
    let kind = if name == LOAD_WORKER {
        "node source"
    } else {
        "node"
    };
    // Long names are cut where the box ends; the table has them whole.
    let most = (place.width / 7.2) as usize;
    let shown: String = match name.chars().count() > most {
        true => name.chars().take(most - 1).chain(['…']).collect(),
        false => name.into(),
    };
    html! {
        g class=(kind) {
            rect x=(px(place.x - place.width / 2.0)) y=(px(place.y - place.height / 2.0)) width=(place.width) height=(place.height) rx="6" {}
            text x=(px(place.x)) y=(px(place.y + 4.5)) { (shown) }
        }
    }
}

/// What stands on a line, and whether it speaks of errors.
fn texts(edges: &[(usize, &Edge)]) -> Vec<(String, bool)> {
    let number = numbers(edges);
    let (_, first) = edges[0];
    let calls: u64 = edges.iter().fold(0, |n, (_, e)| n.saturating_add(e.calls));
    let errors: u64 = edges.iter().fold(0, |n, (_, e)| n.saturating_add(e.errors));
    let rate: f64 = edges.iter().map(|(_, e)| e.rate).sum();
    let how_many = match (&first.event, edges.len()) {
        (Some(event), 1) => format!("{event} {}", often(calls, rate)),
        (Some(_), n) => format!("{n} types {}", often(calls, rate)),
        (None, _) => often(calls, rate),
    };
    let mut texts = vec![(format!("{number} · {how_many}"), false)];
    if errors > 0 {
        let share = errors as f64 / (calls.max(errors)) as f64;
        texts.push((format!("{} errors", words::percent(share)), true));
    }
    if let Some(p99) = first.p99 {
        texts.push((format!("p99 {}", p99.written()), false));
    } else if let Some(mean) = first.mean {
        texts.push((format!("mean {}", words::seconds(mean)), false));
    }
    if let Some(seen) = first.breaker.as_ref().filter(|b| b.opened > 0) {
        texts.push((format!("breaker opened {}×", seen.opened), true));
    }
    texts
}

/// `200/s`, or `12×` where that would be a fraction.
fn often(calls: u64, rate: f64) -> String {
    match rate >= 1.0 {
        true => Unit::PerSecond.write(rate),
        false => format!("{calls}×"),
    }
}

/// `3`, `4–6`, `4, 7`.
fn numbers(edges: &[(usize, &Edge)]) -> String {
    let (first, last) = (edges[0].0, edges[edges.len() - 1].0);
    match edges.len() {
        1 => first.to_string(),
        n if last - first + 1 == n => format!("{first}–{last}"),
        _ => edges
            .iter()
            .map(|(i, _)| i.to_string())
            .collect::<Vec<_>>()
            .join(","),
    }
}

const LETTER: f64 = 6.6;
const LINE: f64 = 14.0;

fn size(texts: &[(String, bool)]) -> (f64, f64) {
    let longest = texts
        .iter()
        .map(|(t, _)| t.chars().count())
        .max()
        .unwrap_or(0);
    (
        longest as f64 * LETTER + 8.0,
        texts.len() as f64 * LINE + 4.0,
    )
}

fn words_on(line: &Line) -> Markup {
    let texts = texts(&line.edges);
    let top = line.label.y - line.label.height / 2.0;
    html! {
        g.label {
            (backdrop(&line.label))
            @for (i, (text, is_error)) in texts.iter().enumerate() {
                text.error[*is_error] x=(px(line.label.x - line.label.width / 2.0 + 4.0)) y=(px(top + 13.0 + i as f64 * LINE)) { (text) }
            }
        }
    }
}

fn number_on(line: &Line) -> Markup {
    let bad = line.edges.iter().any(|(_, e)| e.errors > 0);
    html! {
        g.label.number {
            (backdrop(&line.label))
            text.error[bad] x=(px(line.label.x)) y=(px(line.label.y + 4.5)) { (numbers(&line.edges)) }
        }
    }
}

fn backdrop(place: &Place) -> Markup {
    html! {
        rect x=(px(place.x - place.width / 2.0)) y=(px(place.y - place.height / 2.0)) width=(px(place.width)) height=(px(place.height)) rx="4" {}
    }
}

fn px(at: f64) -> String {
    format!("{at:.1}")
}

fn table(graph: &Graph) -> Markup {
    html! {
        table.cards.edges {
            thead { tr {
                th { "From, to" } th { "What" } th.number { "How often" } th.number { "Rate" } th.number { "Errors" }
                th.number { "Mean" } th.number { "Median" } th.number { "99 %" }
            } }
            tbody {
                @for (i, edge) in graph.edges.iter().enumerate() { (row(i + 1, edge)) }
            }
        }
        @if graph.edges.iter().any(|e| !e.complete) {
            p.note { "≥: a pod ended, or did not answer, before it was asked once more at the end." }
        }
    }
}

fn row(number: usize, edge: &Edge) -> Markup {
    let within =
        |found: Option<model::telemetry::Within>| found.map_or("–".into(), |w| w.written());
    let endings: Vec<String> = edge
        .endings
        .iter()
        .map(|(e, n)| format!("{e} {n}"))
        .collect();
    html! {
        tr {
            td data-label="From, to" { (number) ". " strong { (edge.from) " → " (edge.to) } }
            td data-label="What" {
                @match &edge.event { Some(event) => (event), None => "calls" }
                @if let Some(published) = edge.published { p.because { (published) " published" } }
                @if let Some(b) = &edge.breaker {
                    p.because {
                        "breaker opened " (b.opened) "×, refused " (b.rejected)
                        @if let Some(after) = b.time_to_open { ", first after " (words::seconds(after)) }
                        @if b.ejections > 0 { ", left out a host " (b.ejections) "×" }
                    }
                }
            }
            td.number data-label="How often" { @if !edge.complete { "≥ " } (edge.calls) }
            td.number data-label="Rate" { (Unit::PerSecond.write(edge.rate)) }
            td.number data-label="Errors" {
                @if edge.errors == 0 { "0" } @else {
                    span.error { (edge.errors) " (" (words::percent(edge.error_ratio())) ")" }
                    @if !endings.is_empty() { p.because { (endings.join(", ")) } }
                }
            }
            td.number data-label="Mean" { (edge.mean.map_or("–".into(), words::seconds)) }
            td.number data-label="Median" { (within(edge.p50)) }
            td.number data-label="99 %" { (within(edge.p99)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_would_lie_on_each_other_are_left_to_the_table() {
        let edge = Edge::default();
        let line = |number: usize, x: f64, y: f64| Line {
            edges: vec![(number, &edge)],
            curve: [(0.0, 0.0); 4],
            label: Place {
                x,
                y,
                width: 100.0,
                height: 20.0,
            },
        };
        let lines = [
            line(1, 0.0, 0.0),
            line(2, 99.0, 19.0),
            line(3, 0.0, 20.0),
            line(4, 300.0, 0.0),
        ];
        assert_eq!(crowded(&lines), BTreeSet::from([1, 2, 3]));
        assert_eq!(
            crowded(&[line(1, 0.0, 0.0), line(2, 100.0, 0.0)]),
            BTreeSet::new()
        );
    }
}
