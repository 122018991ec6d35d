//! Colours by name. plotters draws with stand-ins, which then become variables of the style sheet.
use plotters::style::RGBColor;

/// What a colour is for. The style sheet has a variable of each name, in light and in dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Muted,
    Grid,
    Good,
    Failed,
    Median,
    Tail,
    Fault,
    Window,
    Degraded,
    Ready,
    NotReady,
    Terminating,
    OnBar,
    Doubt,
}

const ALL: [(Ink, &str); 15] = [
    (Ink::Text, "ink"),
    (Ink::Muted, "muted"),
    (Ink::Grid, "grid"),
    (Ink::Good, "good"),
    (Ink::Failed, "failed"),
    (Ink::Median, "median"),
    (Ink::Tail, "tail"),
    (Ink::Fault, "fault"),
    (Ink::Window, "failed"),
    (Ink::Degraded, "degraded"),
    (Ink::Ready, "ready"),
    (Ink::NotReady, "not-ready"),
    (Ink::Terminating, "terminating"),
    (Ink::OnBar, "on-bar"),
    (Ink::Doubt, "muted"),
];

impl Ink {
    /// A stand-in that no picture needs.
    pub fn color(self) -> RGBColor {
        RGBColor(1, 0, self as u8)
    }

    fn stand_in(self) -> String {
        let RGBColor(r, g, b) = self.color();
        format!("#{r:02X}{g:02X}{b:02X}")
    }
}

/// The drawing with its colours as variables, as wide as its place, and with a name for those who cannot see it.
pub(super) fn themed(svg: &str, label: &str) -> String {
    let mut themed = svg.to_string();
    for (ink, name) in ALL {
        let stand_in = ink.stand_in();
        for property in ["fill", "stroke"] {
            themed = themed.replace(
                &format!("{property}=\"{stand_in}\""),
                &format!("style=\"{property}:var(--{name})\""),
            );
        }
    }
    let themed = themed.replace(" opacity=\"1\"", "");
    let label = label
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    let Some(start) = themed.find("viewBox") else {
        return themed;
    };
    format!(
        "<svg role=\"img\" aria-label=\"{label}\" {}",
        &themed[start..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_becomes_a_variable_and_the_drawing_gets_a_name() {
        let svg = format!(
            "<svg width=\"9\" viewBox=\"0 0 9 9\"><rect opacity=\"1\" fill=\"{}\" stroke=\"none\"/></svg>",
            Ink::Good.stand_in()
        );
        assert_eq!(
            themed(&svg, "a < b"),
            "<svg role=\"img\" aria-label=\"a &lt; b\" viewBox=\"0 0 9 9\"><rect style=\"fill:var(--good)\" stroke=\"none\"/></svg>"
        );
    }

    #[test]
    fn every_ink_has_a_stand_in_of_its_own() {
        for (i, (ink, _)) in ALL.iter().enumerate() {
            assert_eq!(*ink as usize, i);
        }
    }
}
