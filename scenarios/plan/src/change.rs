//! Steps that change the system and are no fault.
use crate::kinds;
use crate::object::Object;
use crate::system::{Patch, System};
use model::{Action, Manifest};
use serde_json::Value;

pub fn apply(a: &Object, system: Option<&System>) -> Option<Action> {
    let patches: Vec<Patch> = a.list("patches").iter().filter_map(Patch::read).collect();
    if a.get("manifest").is_none() && a.get("patches").is_none() {
        a.needs("manifest", "an apply without patches");
        return None;
    }
    let file = a.word("manifest");
    let Some(system) = system else {
        let file = file.map_or("", |(_, path)| path);
        let manifest = Manifest {
            file: file.into(),
            objects: vec![],
        };
        return Some(Action::Apply { manifest });
    };
    let mut manifests = match file {
        Some((node, _)) => vec![system.rollouts.get(&node.path)?.clone()],
        None => system.manifests.clone(),
    };
    for patch in &patches {
        patch.apply(&mut manifests, a.log);
    }
    let manifest = match file {
        Some(_) => manifests.remove(0),
        None => only(&patches, manifests),
    };
    Some(Action::Apply { manifest })
}

/// Of the system only what the patches change.
fn only(patches: &[Patch], mut manifests: Vec<Manifest>) -> Manifest {
    let is_changed = |object: &Value| patches.iter().any(|p| p.is_for(object));
    manifests.retain(|m| m.objects.iter().any(is_changed));
    let files: Vec<&str> = manifests.iter().map(|m| m.file.as_str()).collect();
    let file = files.join(", ");
    let mut objects: Vec<Value> = manifests.into_iter().flat_map(|m| m.objects).collect();
    objects.retain(is_changed);
    Manifest { file, objects }
}

pub fn delete(d: &Object, system: Option<&System>) -> Option<Action> {
    let (kind, (node, name)) = (d.text("kind")?, d.word("name")?);
    let api_version = kinds::api_version(d, kind, system);
    if let Some(system) = system
        && d.get("apiVersion").is_none()
    {
        system.must_have(kind, name, node, d.log);
    }
    Some(Action::Delete {
        api_version: api_version?,
        kind: kind.into(),
        name: name.into(),
    })
}
