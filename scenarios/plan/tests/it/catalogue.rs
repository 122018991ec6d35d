//! The scenarios that come with the product.
use model::{Mutant, Plan, Profile};
use plan::{Catalog, Overrides, Scenario, catalog, embedded};

fn catalogue() -> Catalog {
    catalog().unwrap_or_else(|problems| panic!("{problems}"))
}

fn plans(scenario: &Scenario, profile: Profile, mutant: Option<Mutant>) -> Vec<Plan> {
    let plans = scenario.plans(profile, None, mutant, &Overrides::new(), &embedded);
    plans.unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_scenario_has_plans_in_both_profiles_and_as_both_mutants() {
    for scenario in catalogue().list() {
        for profile in [Profile::Quick, Profile::Documented] {
            for mutant in [None, Some(Mutant::NoFault), Some(Mutant::MechanismOff)] {
                let plans = plans(scenario, profile, mutant);
                assert_eq!(plans.len(), scenario.arms.len(), "{}", scenario.name);
                for plan in plans {
                    assert_eq!((plan.profile, plan.mutant), (profile, mutant));
                    assert!(!plan.checks.is_empty() && !plan.manifests.is_empty());
                }
            }
        }
    }
}

#[test]
fn a_mutant_is_another_plan_that_is_asked_the_same() {
    for scenario in catalogue().list() {
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
