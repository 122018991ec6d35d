//! result.json: everything that follows, without the raw timeline, which lies beside it.
use model::{ExitCode, Fact, Judgement, Mutant, Profile, Report, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultFile<'a> {
    scenario: &'a str,
    hypothesis: &'a str,
    verdict: Verdict,
    reason: &'a str,
    exit_code: u8,
    arms: Vec<Arm<'a>>,
    reproduce: &'a str,
    version: &'a str,
    judged: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Arm<'a> {
    arm: &'a str,
    profile: Profile,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutant: Option<Mutant>,
    params: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a Fact>,
    observations: usize,
    judgement: &'a Judgement,
}

/// The report as JSON, indented: verdict, reason, and for each arm its conditions, findings, windows and summaries.
pub fn json(report: &Report) -> String {
    let arms = report.arms.iter().map(|arm| Arm {
        arm: &arm.plan.arm,
        profile: arm.plan.profile,
        seed: arm.plan.seed,
        mutant: arm.plan.mutant,
        params: &arm.plan.params,
        cluster: arm
            .timeline
            .all()
            .iter()
            .map(|o| &o.fact)
            .find(|fact| matches!(fact, Fact::Began { .. })),
        observations: arm.timeline.all().len(),
        judgement: &arm.judgement,
    });
    let file = ResultFile {
        scenario: &report.scenario,
        hypothesis: &report.hypothesis,
        verdict: report.verdict,
        reason: &report.reason,
        exit_code: ExitCode::foremost(report.arms.iter().map(|a| a.judgement.exit)).number(),
        arms: arms.collect(),
        reproduce: &report.reproduce,
        version: &report.version,
        judged: &report.judged,
    };
    serde_json::to_string_pretty(&file).expect("a report is plain data") + "\n"
}
