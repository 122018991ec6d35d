//! The scenarios that come with the product.
use model::{Mutant, Plan, Profile};
use plan::{Overrides, Scenario, catalog, explain, validate};

pub fn plans(scenario: &Scenario, profile: Profile, mutant: Option<Mutant>) -> Vec<Plan> {
    let plans = scenario.plans(profile, None, mutant, &Overrides::new(), &|path: &str| {
        catalog().read(path)
    });
    plans.unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_scenario_has_plans_in_both_profiles_and_as_both_mutants() {
    for scenario in catalog().list() {
        for profile in [Profile::Quick, Profile::Documented] {
            for mutant in [None, Some(Mutant::NoFault), Some(Mutant::MechanismOff)] {
                let plans = plans(scenario, profile, mutant);
                assert_eq!(plans.len(), scenario.arms().len(), "{}", scenario.name());
                for plan in plans {
                    assert_eq!((plan.profile, plan.mutant), (profile, mutant));
                    assert!(!plan.checks.is_empty() && !plan.manifests.is_empty());
                    let stored = serde_json::to_string(&plan).unwrap();
                    assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
                }
            }
        }
    }
}

#[test]
fn a_mutant_is_another_plan_that_is_asked_the_same() {
    for scenario in catalog().list() {
        for mutant in [Mutant::NoFault, Mutant::MechanismOff] {
            let both = plans(scenario, Profile::Quick, None).into_iter().zip(plans(
                scenario,
                Profile::Quick,
                Some(mutant),
            ));
            for (plan, mutated) in both {
                let what = format!("{} {} {mutant:?}", plan.scenario, plan.arm);
                assert_eq!(plan.checks, mutated.checks, "{what}");
                assert_ne!(
                    (&plan.steps, &plan.manifests),
                    (&mutated.steps, &mutated.manifests),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn the_documented_experiments_are_found_by_their_ids_and_only_the_arm_that_replays_them() {
    let found = |asked: &str| -> Vec<(String, Vec<String>)> {
        let found = catalog()
            .find(asked)
            .unwrap_or_else(|unknown| panic!("{unknown}"));
        let arms = |s: &Scenario| s.arms().iter().map(|a| a.name.clone()).collect();
        found
            .iter()
            .map(|s| (s.name().to_string(), arms(s)))
            .collect()
    };
    let one = |name: &str, arms: &[&str]| {
        vec![(
            name.to_string(),
            arms.iter().map(ToString::to_string).collect(),
        )]
    };
    assert_eq!(found("mybnb/preflight"), one("mybnb/preflight", &["main"]));
    assert_eq!(
        found("mybnb/sync-auth-restored"),
        one("mybnb/sync-auth-down", &["main"])
    );
    assert_eq!(
        found("mybnb/async-alarm-restored"),
        one("mybnb/async-alarm-down", &["main"])
    );
    assert_eq!(
        found("mybnb/zero-downtime-off"),
        one("mybnb/zero-downtime", &["without-probes"])
    );
    assert_eq!(
        found("mybnb/zero-downtime"),
        one("mybnb/zero-downtime", &["without-probes", "with-probes"])
    );
    let all: Vec<&str> = catalog().list().iter().map(|s| s.name()).collect();
    let of_mybnb = all.iter().filter(|name| name.starts_with("mybnb/"));
    assert_eq!(found("mybnb").len(), of_mybnb.count());
    assert_eq!(found("mybnb/"), found("mybnb"));
    assert_eq!(found("mybnb")[0].0, "mybnb/preflight");
    assert_eq!(found("").len(), all.len());
}

#[test]
fn a_scenario_that_is_not_there_is_met_with_the_one_that_was_meant() {
    let unknown = catalog().find("mybnb/zero-downtme").unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no such scenario: \"mybnb/zero-downtme\"; did you mean mybnb/zero-downtime?"
    );
    let unknown = catalog().find("everything").unwrap_err();
    assert!(
        unknown.to_string().contains(" mybnb/async-alarm-down, "),
        "{unknown}"
    );
}

#[test]
fn a_file_on_disk_is_read_as_one_of_the_catalogue() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let file = format!("{root}/scenarios/catalog/mybnb/zero-downtime.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let on_disk = |path: &str| std::fs::read_to_string(path);
    let scenario = validate(&file, &text, &on_disk).unwrap_or_else(|problems| panic!("{problems}"));
    let plans = scenario
        .plans(Profile::Quick, None, None, &Overrides::new(), &on_disk)
        .unwrap();
    assert_eq!(plans.len(), 2);
}

#[test]
fn a_plan_is_told_in_plain_words_with_every_default() {
    let found = catalog().find("mybnb/zero-downtime-off").unwrap();
    let plan = |mutant| plans(&found[0], Profile::Quick, mutant).remove(0);
    let off = plan(Some(Mutant::MechanismOff));
    let told = explain(&plan(None), Some(&off));
    assert_eq!(told, TOLD);
}

const TOLD: &str = r#"mybnb/zero-downtime, arm without-probes, profile quick
Without probes, a redeploy of review loses requests for as long as the new process takes to start, because a pod counts as ready as soon as its process runs.

In namespace mybnb, from seed 1:
  duration = 15s
  startup = 5s
  apply k8s/manifests/mybnb/configmap.yaml: ConfigMap/mybnb-config
  apply k8s/manifests/mybnb/review.yaml: Service/review, Deployment/review
  wait until every Deployment is ready and every Service is reached from a pod, at most 3m
  give up and undo after 8m15s in all
Then:
  1. siege: at once, at most 1m15s
    1 user sends, waits for the answer and sends again, for 15s (repetitions are ignored: time wins), at most 250 requests a second
    a connection for each request, 30s for each request
    as siege: its summary is computed too, as it would have printed it
      reviews: GET http://review:8080/reviews, content-type: application/json
  2. redeploy: 2s after the first request of "siege", at most 3m
    roll out review by applying k8s/manifests/mybnb/review_na.yaml: Service/review, Deployment/review; proven when only new pods are left
      Deployment/review: spec.template.spec.containers.review.lifecycle: {"preStop":{"sleep":{"seconds":3}}} → nothing
      Deployment/review: spec.template.spec.containers.review.livenessProbe: {"httpGet":{"path":"/actuator/health/liveness","port":"http"},"initialDelaySeconds":40,"periodSecond… → nothing
      Deployment/review: spec.template.spec.containers.review.readinessProbe: {"httpGet":{"path":"/actuator/health/readiness","port":"http"},"periodSeconds":1,"failureThreshold":… → nothing
Asked:
  replaced under load: a pod of review is replaced during "siege"
  requests are lost: availability of "siege" < 100 %
  in one stretch: unavailability.windows of "siege" == 1
  as long as a start: unavailability.longest of "siege" >= 3.00 s
  and no longer: unavailability.longest of "siege" <= 7.50 s
With the mechanism off (--mutant mechanism-off), and then it must fail:
  step redeploy is another one
    Deployment/review: spec.template.metadata.annotations: nothing → {"brownout/redeployed":"yes"}
    Deployment/review: spec.template.spec.containers.review.lifecycle: nothing → {"preStop":{"sleep":{"seconds":3}}}
    Deployment/review: spec.template.spec.containers.review.livenessProbe: nothing → {"httpGet":{"path":"/actuator/health/liveness","port":"http"},"initialDelaySeconds":40,"periodSecond…
    Deployment/review: spec.template.spec.containers.review.readinessProbe: nothing → {"httpGet":{"path":"/actuator/health/readiness","port":"http"},"periodSeconds":1,"failureThreshold":…
Recorded as mybnb/zero-downtime-off: Without probes, a redeploy under load loses requests; 82.11 % were answered.
"#;

#[test]
fn the_recorded_figures_are_those_of_the_report() {
    let found = catalog().find("mybnb/zero-downtime").unwrap();
    let plans = plans(&found[0], Profile::Documented, None);
    let recorded = |arm: usize| plans[arm].documented[0].siege.clone().unwrap();
    assert_eq!(
        (
            recorded(0).transactions,
            recorded(0).failed,
            recorded(0).elapsed
        ),
        (4700, 1024, 31.22)
    );
    assert_eq!(
        (
            recorded(1).transactions,
            recorded(1).failed,
            recorded(1).elapsed
        ),
        (23586, 0, 98.46)
    );
    for plan in &plans {
        assert_eq!(plan.documented[0].step.as_deref(), Some("siege"));
        assert!(!plan.documented[0].differs.is_empty());
    }
}
