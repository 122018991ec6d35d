//! Chaos files: text → what `brownout chaos run` performs, or every mistake at once.
use crate::aim::Words;
use crate::limits::PODS_MAX;
use crate::object::Object;
use crate::problem::{LABEL_WAY_OUT, Log, Problem, Problems, is_label};
use crate::tree::{Kind, Node};
use crate::words::{API_VERSION, CHAOS};
use model::{ChaosPlan, EmptyTarget, Micros, Safety, Share};

/// How long what was struck may take to recover where the file says nothing.
const RECOVERY: Micros = Micros::from_secs(180);
/// The seed where the file has none.
const SEED: u64 = 1;

/// Whether a file says that it is a chaos file.
pub fn is_chaos(text: &str) -> bool {
    let (root, _) = Node::parse("", text);
    let kind = root.as_ref().and_then(|root| root.get("kind")?.text());
    kind == Some("Chaos")
}

/// Reads a chaos file. The error is everything that is wrong with it; `file` is what messages call it.
pub fn chaos(file: &str, text: &str) -> Result<ChaosPlan, Problems> {
    let (root, mut problems) = Node::parse(file, text);
    let log = Log::new(file);
    if root.is_none() && problems.is_empty() {
        let empty = Problem::new(file, Default::default(), "", "the file is empty");
        problems.push(empty.way_out(format!(
            "begin with apiVersion: {API_VERSION} and kind: Chaos"
        )));
    }
    let read = root.and_then(|root| self::read(&root, &log));
    problems.extend(log.into_problems());
    match read {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(Problems::sorted(problems)),
    }
}

fn read(root: &Node, log: &Log) -> Option<ChaosPlan> {
    let file = Object::new(root, &CHAOS, log)?;
    file.one_of("apiVersion");
    file.one_of("kind");
    let metadata = file.object("metadata");
    let name = metadata.and_then(|m| m.word("name"));
    if let Some((node, name)) = name
        && !is_label(name)
    {
        log.bad(node, format!("\"{name}\" is no name"), LABEL_WAY_OUT);
    }
    let spec = file.object("spec")?;
    let (target, fault) = (spec.object("target"), spec.object("fault"));
    let safety = spec.object("safety").map(|s| safety(&s));
    let (target, fault) = (target?, fault?);
    let namespace = target.word("namespace");
    if let Some((node, name)) = namespace
        && !is_label(name)
    {
        log.bad(node, format!("\"{name}\" is no namespace"), LABEL_WAY_OUT);
    }
    let words = Words {
        target: &target,
        fault: &fault,
        rhythm: &spec,
    };
    let word = fault.one_of("type")?;
    if word == "process-hang" {
        fault.needs("for", "a process-hang that nobody undoes");
    }
    let kind = words.read(word);
    let safety = safety?;
    if let Some((node, name)) = namespace
        && !safety.allow_namespaces.is_empty()
        && !safety.allows(name)
    {
        let message = format!("namespace {name} is not in allowNamespaces");
        log.bad(node, message, "add it there, or name another");
    }
    Some(ChaosPlan {
        name: name?.1.into(),
        namespace: namespace.map(|(_, name)| name.into()),
        fault: kind?,
        seed: spec.whole("seed", 0, u64::MAX).unwrap_or(SEED),
        recovery: spec.duration("recovery").unwrap_or(RECOVERY),
        safety,
    })
}

fn safety(s: &Object) -> Safety {
    let allowed = s.texts("allowNamespaces");
    if allowed.is_empty() && s.get("allowNamespaces").is_some() {
        let way_out = "name the namespaces that may be touched";
        s.log.bad(s.node, "nothing may be touched", way_out);
    }
    for (node, name) in &allowed {
        let beginning = name.strip_suffix('*').unwrap_or(name);
        if !is_label(beginning.trim_end_matches('-')) {
            let message = format!("\"{name}\" names no namespace");
            let way_out = "write a name, or the beginning of one as shop-*";
            s.log.bad(node, message, way_out);
        }
    }
    let annotations = s.text_map("requireAnnotation").into_iter();
    Safety {
        allow_namespaces: allowed.into_iter().map(|(_, name)| name.into()).collect(),
        require_annotation: annotations
            .map(|(key, value)| (key.into(), value.into()))
            .collect(),
        max_unavailable: share(s),
        min_ready: s.whole32("minReady", 0, PODS_MAX).unwrap_or(0),
        empty_target: match s.get("emptyTargetResolution") {
            Some(_) if s.one_of("emptyTargetResolution") == Some("skip") => EmptyTarget::Skip,
            _ => EmptyTarget::Fail,
        },
    }
}

/// `1` or `50%`.
fn share(s: &Object) -> Option<Share> {
    let node = s.get("maxUnavailable")?;
    let share = match &node.kind {
        Kind::Scalar(scalar) => match scalar.text.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|p| *p <= 100)
                .map(Share::Percent),
            None => scalar.text.parse().ok().map(Share::Count),
        },
        _ => None,
    };
    if share.is_none() {
        let message = format!("{} is no number of pods", node.written());
        s.log
            .bad(node, message, "write a number or a share, as 1 or 50%");
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{FaultKind, Mode};

    const KILL: &str = "
apiVersion: brownout/v1alpha1
kind: Chaos
metadata: { name: kill }
spec:
  target: { namespace: shop, workloads: [room, pay] }
  fault: { type: pod-kill, mode: fixed-percent, value: 50, gracePeriodSeconds: 0 }
  every: 10s
  for: 2m
  jitter: 3s
  seed: 7
  safety: { allowNamespaces: [shop], requireAnnotation: { brownout/allow-chaos: \"true\" }, maxUnavailable: 50% }
";

    fn problems(text: &str) -> String {
        chaos("kill.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_chaos_file_is_read_with_its_defaults() {
        assert!(is_chaos(KILL));
        let plan = chaos("kill.yaml", KILL).unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.namespace.as_deref()),
            ("kill", Some("shop"))
        );
        let FaultKind::PodKill {
            aim,
            grace_period_seconds: Some(0),
        } = &plan.fault
        else {
            panic!("{:?}", plan.fault)
        };
        assert_eq!(aim.workloads, ["room", "pay"]);
        assert_eq!(aim.mode, Mode::FixedPercent(50));
        assert_eq!(
            (aim.rhythm.times, aim.rhythm.length()),
            (12, Micros::from_secs(113))
        );
        assert_eq!((plan.seed, plan.recovery), (7, RECOVERY));
        assert_eq!(plan.safety.max_unavailable, Some(Share::Percent(50)));
        assert_eq!(plan.safety.empty_target, EmptyTarget::Fail);
    }

    #[test]
    fn a_namespace_that_is_not_allowed_is_refused() {
        let said = problems(&KILL.replace("namespace: shop", "namespace: prod"));
        assert!(
            said.contains("namespace prod is not in allowNamespaces"),
            "{said}"
        );
        let said = problems(&KILL.replace("allowNamespaces: [shop]", "allowNamespaces: []"));
        assert!(said.contains("nothing may be touched"), "{said}");
        let said = problems(&KILL.replace("allowNamespaces: [shop]", "allowNamespaces: [\"*\"]"));
        assert!(said.contains("\"*\" names no namespace"), "{said}");
        let said = problems(&KILL.replace("allowNamespaces: [shop], ", ""));
        assert!(said.contains("allowNamespaces is missing"), "{said}");
    }

    #[test]
    fn what_cannot_be_meant_is_said_all_at_once() {
        let text = KILL
            .replace("mode: fixed-percent, value: 50", "mode: fixed-percent")
            .replace("for: 2m", "times: 0")
            .replace("maxUnavailable: 50%", "maxUnavailable: half")
            .replace("workloads: [room, pay]", "selector: {}");
        let said = problems(&text);
        for word in [
            "value",
            "times",
            "maxUnavailable",
            "every pod of the namespace",
        ] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    #[test]
    fn a_hang_that_nobody_undoes_needs_its_end() {
        let text = KILL.replace(
            "type: pod-kill, mode: fixed-percent, value: 50, gracePeriodSeconds: 0",
            "type: process-hang",
        );
        assert!(problems(&text).contains("needs for"), "{}", problems(&text));
    }
}
