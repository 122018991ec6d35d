//! Places for the nodes of a graph and ways for its edges: layers by the distance from the load worker, the same drawing for the same
//! graph, and labels where nothing else is.
use model::{Edge, Graph, graph::LOAD_WORKER};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What there is to draw on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sheet {
    pub width: f64,
    /// Width and height of a node.
    pub node: (f64, f64),
    /// From one row to the next.
    pub row: f64,
    /// So many nodes in a row; a layer with more becomes two.
    pub nodes_max: usize,
    /// Labels stand beside the lines, and else on them.
    pub is_beside: bool,
}

/// Desktops and paper.
pub(crate) const WIDE: Sheet = Sheet {
    width: 1000.0,
    node: (124.0, 34.0),
    row: 112.0,
    nodes_max: 6,
    is_beside: true,
};

/// Phones.
pub(crate) const NARROW: Sheet = Sheet {
    width: 380.0,
    node: (108.0, 30.0),
    row: 92.0,
    nodes_max: 3,
    is_beside: false,
};

/// A rectangle by its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Place {
    fn meets(&self, other: &Place) -> bool {
        (self.x - other.x).abs() * 2.0 < self.width + other.width
            && (self.y - other.y).abs() * 2.0 < self.height + other.height
    }
}

/// What is drawn as one line: calls from one to another, or all types of events from one to another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line<'a> {
    /// With their numbers in the graph, from 1.
    pub edges: Vec<(usize, &'a Edge)>,
    /// Start, two handles and end of a Bézier curve.
    pub curve: [(f64, f64); 4],
    pub label: Place,
}

/// A graph with a place for everything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout<'a> {
    pub width: f64,
    pub height: f64,
    pub nodes: BTreeMap<&'a str, Place>,
    pub lines: Vec<Line<'a>>,
}

/// Lays out a graph on a sheet; `label` says how wide and high the label of a line is.
pub(crate) fn of<'a>(
    graph: &'a Graph,
    sheet: Sheet,
    label: impl Fn(&[(usize, &'a Edge)]) -> (f64, f64),
) -> Layout<'a> {
    let layers = layers(graph, sheet.nodes_max);
    let (nodes, height) = places(&layers, sheet);
    let mut lines = vec![];
    let mut taken: Vec<Place> = nodes.values().copied().collect();
    for edges in bundles(graph) {
        let (_, first) = edges[0];
        let (from, to) = (nodes[first.from.as_str()], nodes[first.to.as_str()]);
        let curve = curve(from, to, sheet, first.event.is_some());
        let (w, h) = label(&edges);
        let label = free(&curve, (w, h), sheet, &taken);
        taken.push(label);
        lines.push(Line {
            edges,
            curve,
            label,
        });
    }
    // A way around the last row, or a label there, may need more room.
    let low = |line: &Line| {
        let curve = line.curve.map(|(_, y)| y).into_iter().fold(0.0, f64::max);
        (line.label.y + line.label.height / 2.0).max(curve)
    };
    let lowest = lines.iter().map(low).fold(0.0, f64::max);
    Layout {
        width: sheet.width,
        height: height.max(lowest + 6.0).ceil(),
        nodes,
        lines,
    }
}

/// Edges that are drawn as one line, in the order of the graph.
fn bundles(graph: &Graph) -> Vec<Vec<(usize, &Edge)>> {
    let mut bundles: Vec<Vec<(usize, &Edge)>> = vec![];
    for (i, edge) in graph.edges.iter().enumerate() {
        let same = |(_, other): &(usize, &Edge)| {
            let of = |e: &Edge| (e.from.clone(), e.to.clone(), e.event.is_some());
            of(other) == of(edge)
        };
        match bundles.iter_mut().find(|b| same(&b[0])) {
            Some(bundle) => bundle.push((i + 1, edge)),
            None => bundles.push(vec![(i + 1, edge)]),
        }
    }
    bundles
}

/// Nodes by their distance from the load worker, along calls as far as they lead, then along events; those that nothing leads to
/// come first. Within a layer they stand near those that lead to them.
fn layers(graph: &Graph, many: usize) -> Vec<Vec<&str>> {
    let names: BTreeSet<&str> = graph
        .edges
        .iter()
        .flat_map(|e| [e.from.as_str(), e.to.as_str()])
        .collect();
    let mut depth = BTreeMap::<&str, usize>::new();
    let called: BTreeSet<&str> = graph
        .edges
        .iter()
        .filter(|e| e.from != e.to)
        .map(|e| e.to.as_str())
        .collect();
    let mut roots: Vec<&str> = names
        .iter()
        .copied()
        .filter(|n| *n == LOAD_WORKER)
        .collect();
    roots.extend(
        names
            .iter()
            .filter(|n| **n != LOAD_WORKER && !called.contains(*n)),
    );
    // A ring that nobody leads into begins at its first name.
    roots.extend(names.iter().copied());
    for root in roots {
        if !depth.contains_key(root) {
            walk(graph, root, &mut depth);
        }
    }
    let deepest = depth.values().copied().max().unwrap_or(0);
    let mut layers: Vec<Vec<&str>> = vec![];
    for at in 0..=deepest {
        let mut layer: Vec<&str> = depth
            .iter()
            .filter(|(_, d)| **d == at)
            .map(|(n, _)| *n)
            .collect();
        if let Some(before) = layers.last() {
            let near = |name: &&str| place_among(graph, name, before);
            layer.sort_by(|a, b| near(a).total_cmp(&near(b)).then(a.cmp(b)));
        }
        layers.extend(layer.chunks(many).map(<[&str]>::to_vec));
    }
    layers
}

/// Gives a depth to everything that is reached from a node and has none: along calls first.
fn walk<'a>(graph: &'a Graph, root: &'a str, depth: &mut BTreeMap<&'a str, usize>) {
    depth.insert(root, 0);
    for events in [false, true] {
        let mut next: VecDeque<&str> = depth.keys().copied().collect();
        while let Some(from) = next.pop_front() {
            let deeper = depth[from] + 1;
            let on = graph.edges.iter();
            let on = on.filter(|e| e.from == from && (events || e.event.is_none()));
            for to in on.map(|e| e.to.as_str()) {
                if depth.get(to).is_none_or(|d| *d > deeper) && !(events && depth.contains_key(to))
                {
                    depth.insert(to, deeper);
                    next.push_back(to);
                }
            }
        }
    }
}

/// The mean place of those in the layer before that lead to a node; in the middle if none does.
fn place_among(graph: &Graph, name: &str, before: &[&str]) -> f64 {
    let leads = |from: &str| graph.edges.iter().any(|e| e.from == from && e.to == name);
    let places: Vec<f64> = (0..before.len())
        .filter(|i| leads(before[*i]))
        .map(|i| i as f64)
        .collect();
    match places.len() {
        0 => before.len() as f64 / 2.0,
        n => places.iter().sum::<f64>() / n as f64,
    }
}

fn places<'a>(layers: &[Vec<&'a str>], sheet: Sheet) -> (BTreeMap<&'a str, Place>, f64) {
    let mut nodes = BTreeMap::new();
    let (width, height) = sheet.node;
    for (i, layer) in layers.iter().enumerate() {
        for (k, name) in layer.iter().enumerate() {
            // The middle of its share of the row.
            let share = (k as f64 + 0.5) / layer.len() as f64;
            let x = share * sheet.width;
            let y = height / 2.0 + 4.0 + i as f64 * sheet.row;
            let place = Place {
                x,
                y,
                width,
                height,
            };
            nodes.insert(*name, place);
        }
    }
    let last = layers.len().saturating_sub(1) as f64 * sheet.row;
    (nodes, last + height + 10.0)
}

/// Down from one row to another, up beside that, and below a row from one to another of it. What passes a row goes around it.
fn curve(from: Place, to: Place, sheet: Sheet, is_event: bool) -> [(f64, f64); 4] {
    // Calls and events between the same two are told apart.
    let aside = if is_event { 12.0 } else { 0.0 };
    let half = from.height / 2.0;
    let rows = (to.y - from.y) / sheet.row;
    let around = |rows: f64| (sheet.node.0 * 0.9) * (rows.abs() - 1.0).clamp(0.0, 1.0);
    let inside = |x: f64| x.clamp(6.0, sheet.width - 6.0);
    if rows > 0.1 {
        let (a, b) = (from.x + aside, to.x + aside);
        let (p, q) = (from.y + half, to.y - half);
        let reach = (q - p) / 2.0;
        let bow = around(rows);
        [
            (a, p),
            (inside(a + bow), p + reach),
            (inside(b + bow), q - reach),
            (b, q),
        ]
    } else if rows < -0.1 {
        let (a, b) = (from.x - 30.0 + aside, to.x - 30.0 + aside);
        let (p, q) = (from.y - half, to.y + half);
        let reach = (p - q) / 2.0;
        let bow = around(rows);
        [
            (a, p),
            (inside(a - bow), p - reach),
            (inside(b - bow), q + reach),
            (b, q),
        ]
    } else {
        let (p, low) = (from.y + half, from.y + half + 40.0);
        let side = (to.x - from.x).signum() * 20.0;
        let (a, b) = (from.x + side + aside, to.x - side + aside);
        [(a, p), (a, low), (b, low), (b, p)]
    }
}

/// Where on the way labels are tried, the middle first.
const TRIED: [f64; 13] = [
    0.5, 0.42, 0.58, 0.34, 0.66, 0.28, 0.72, 0.22, 0.78, 0.17, 0.83, 0.12, 0.88,
];

/// A place at the curve for a label that meets nothing; the first if there is none.
fn free(curve: &[(f64, f64); 4], (w, h): (f64, f64), sheet: Sheet, taken: &[Place]) -> Place {
    let sides = match sheet.is_beside {
        true => vec![w / 2.0 + 4.0, -w / 2.0 - 4.0],
        false => vec![0.0],
    };
    let at = |t: f64, side: f64| {
        let (x, y) = point(curve, t);
        Place {
            x: (x + side).clamp(w / 2.0, (sheet.width - w / 2.0).max(w / 2.0)),
            y: y.max(h / 2.0),
            width: w,
            height: h,
        }
    };
    let mut tried = TRIED
        .iter()
        .flat_map(|t| sides.iter().map(|side| at(*t, *side)));
    tried
        .find(|place| !taken.iter().any(|other| place.meets(other)))
        .unwrap_or_else(|| at(0.5, sides[0]))
}

/// The point of a Bézier curve at `t`, 0 to 1.
pub(crate) fn point(curve: &[(f64, f64); 4], t: f64) -> (f64, f64) {
    let u = 1.0 - t;
    let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
    let sum = |of: fn(&(f64, f64)) -> f64| curve.iter().zip(weights).map(|(p, w)| of(p) * w).sum();
    (sum(|p| p.0), sum(|p| p.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, event: Option<&str>) -> Edge {
        Edge {
            from: from.into(),
            to: to.into(),
            event: event.map(Into::into),
            calls: 1,
            ..Edge::default()
        }
    }

    fn shop() -> Graph {
        Graph {
            seconds: 1.0,
            edges: vec![
                edge(LOAD_WORKER, "gateway", None),
                edge("gateway", "room", None),
                edge("gateway", "pay", None),
                edge("room", "auth", None),
                edge("auth", "room", Some("AuthApproved")),
                edge("room", "alarm", Some("RoomRegistered")),
                edge("room", "alarm", Some("RoomRemoved")),
            ],
        }
    }

    #[test]
    fn layers_follow_calls_and_then_events_and_no_ring_is_endless() {
        let expected = [
            vec![LOAD_WORKER],
            vec!["gateway"],
            vec!["pay", "room"],
            vec!["alarm", "auth"],
        ];
        assert_eq!(layers(&shop(), 8), expected);
        let ring = Graph {
            seconds: 1.0,
            edges: vec![edge("a", "b", Some("X")), edge("b", "a", Some("Y"))],
        };
        assert_eq!(layers(&ring, 8), [["a"], ["b"]]);
    }

    #[test]
    fn labels_and_nodes_do_not_cover_each_other_and_nothing_is_outside() {
        let graph = shop();
        for (sheet, size) in [(WIDE, (90.0, 32.0)), (NARROW, (18.0, 18.0))] {
            let layout = of(&graph, sheet, |_| size);
            assert_eq!(layout.lines.len(), 6, "events of one pair are one line");
            let labels = layout.lines.iter().map(|l| l.label);
            let all: Vec<Place> = layout.nodes.values().copied().chain(labels).collect();
            for (i, one) in all.iter().enumerate() {
                assert!(
                    all[i + 1..].iter().all(|other| !one.meets(other)),
                    "{sheet:?} {one:?}"
                );
                assert!(
                    one.x - one.width / 2.0 >= 0.0 && one.x + one.width / 2.0 <= sheet.width,
                    "{one:?}"
                );
                assert!(one.y + one.height / 2.0 <= layout.height, "{one:?}");
            }
        }
    }
}
