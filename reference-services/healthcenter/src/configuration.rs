//! configuration — what a service was given by a ConfigMap or a Secret: printed and answered, as the report's program did.

use kernel::{Effect, Env, Method, Service};
use serde_json::{Map, Value};

/// Has the service answer `GET /configuration` with these variables, those that are set, and print them.
pub fn told(service: Service, names: &[&str], env: &Env) -> Service {
    let values: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), env.get::<String>(name)?.into())))
        .collect();
    service.operation(Method::GET, "/configuration", move |_| {
        let printed = values.iter().map(|(name, value)| {
            Effect::Log(format!("{name}={}", value.as_str().unwrap_or_default()))
        });
        printed.chain([Effect::reply(&values)]).collect()
    })
}
