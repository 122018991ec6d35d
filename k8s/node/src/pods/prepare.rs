//! prepare — everything one start of a container needs, read from the API at that moment.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, Secret, Service};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::{Context, plain};
use crate::PATH;
use crate::env::{self, Sources};
use crate::events::PodEvents;
use crate::images::{ImageEntry, command_line};
use crate::limits::Resources;
use crate::links;
use crate::runtime::{ContainerSpec, Log, Tier};
use crate::shim::Mount;
use crate::volumes::{KUBECONFIG, TOKEN_FOLDER, TOKEN_VOLUME, Volumes};

/// Why a container cannot be started yet, as its waiting state says it.
#[derive(Debug)]
pub(super) struct NotYet {
    pub reason: &'static str,
    pub message: String,
}

/// One start of a container of a pod.
pub(super) struct Start<'a> {
    pub context: &'a Context,
    pub pod: &'a Pod,
    pub address: Ipv4Addr,
    pub volumes: &'a Volumes,
    pub manifest: &'a Container,
    pub events: &'a PodEvents,
    /// Goes with the pod; for what a plain process has in place of its own `/tmp`.
    pub tmp: &'a Path,
}

impl Start<'_> {
    pub async fn spec(&self, folder: &Path, log: Arc<Log>) -> Result<ContainerSpec, NotYet> {
        let image = self.manifest.image.as_deref().unwrap_or_default();
        let entry = self
            .context
            .images
            .find(image)
            .ok_or_else(|| self.no_image(image))?;
        let not_configured = |message| NotYet {
            reason: "CreateContainerConfigError",
            message,
        };
        let env = self.environment(entry).await.map_err(not_configured)?;
        let mounts = self.mounts(entry, &env).map_err(not_configured)?;
        let words = |words: &Option<Vec<String>>| -> Vec<String> {
            words
                .iter()
                .flatten()
                .map(|word| env::expand(word, &env))
                .collect()
        };
        let command = command_line(
            image,
            entry,
            &words(&self.manifest.command),
            &words(&self.manifest.args),
        );
        let spec = ContainerSpec {
            image: image.to_owned(),
            program: entry.named(image),
            command,
            env: env.into_iter().collect(),
            working_dir: self
                .manifest
                .working_dir
                .as_ref()
                .map(Into::into)
                .or_else(|| entry.working_dir.clone()),
            hostname: self.pod.name_any(),
            address: self.address,
            mounts,
            folder: folder.to_path_buf(),
            log,
            resources: Resources::of(self.manifest),
        };
        match self.context.runtime.tier() {
            Tier::Plain => self.without_mounts(spec).map_err(|error| NotYet {
                reason: "CreateContainerError",
                message: error.to_string(),
            }),
            Tier::Simulated | Tier::Sandboxed => Ok(spec),
        }
    }

    fn without_mounts(&self, mut spec: ContainerSpec) -> io::Result<ContainerSpec> {
        let mounts = std::mem::take(&mut spec.mounts);
        let tmp = self.tmp.join(&self.manifest.name);
        plain::own_tmp(&tmp, &mounts)?;
        if mounts
            .iter()
            .any(|mount| mount.target != Path::new(TOKEN_FOLDER))
        {
            let message = "this machine allows no namespaces, so volumes are not mounted: their paths are replaced where a word \
                           of the command or a variable begins with them, and those below /tmp are in TMPDIR";
            let name = Some(&*self.manifest.name);
            self.events
                .warning(name, "VolumesNotMounted", message.into());
        }
        let words = spec.command.iter_mut();
        for word in words.chain(spec.env.iter_mut().map(|(_, value)| value)) {
            *word = plain::real_path(word, &mounts);
        }
        if !spec.env.iter().any(|(name, _)| name == "TMPDIR") {
            spec.env.push(("TMPDIR".into(), tmp.display().to_string()));
        }
        Ok(spec)
    }

    fn no_image(&self, image: &str) -> NotYet {
        let known: Vec<_> = self.context.images.names().collect();
        let message = format!(
            "Container image {image:?} is not present: images of the embedded cluster are programs of this machine, and it knows {}",
            known.join(", ")
        );
        let never = self.manifest.image_pull_policy.as_deref() == Some("Never");
        NotYet {
            reason: if never {
                "ErrImageNeverPull"
            } else {
                "ImagePullBackOff"
            },
            message,
        }
    }

    async fn environment(&self, entry: &ImageEntry) -> Result<BTreeMap<String, String>, String> {
        let (client, namespace) = (
            &self.context.client,
            self.pod.namespace().unwrap_or_default(),
        );
        let sources = read_sources(client, &namespace, self.manifest)
            .await
            .map_err(|error| error.to_string())?;
        let links = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.enable_service_links)
            .unwrap_or(true);
        let services = match links {
            true => read_services(client, &namespace)
                .await
                .map_err(|error| error.to_string())?,
            false => BTreeMap::new(),
        };
        let api = read_api(client).await.map_err(|error| error.to_string())?;
        let has_api = !api.is_empty();
        let services = services.into_iter().chain(api).collect();
        let mut all = env::variables(
            self.pod,
            self.address.into(),
            self.manifest,
            &sources,
            &services,
        )?;
        let tier = self.context.runtime.tier();
        let folder = entry
            .program
            .parent()
            .unwrap_or(Path::new("/bin"))
            .display();
        // Pods share one network here; a program that binds every address would answer for others.
        all.entry("POD_IP".into())
            .or_insert_with(|| self.address.to_string());
        let mut defaults: Vec<_> = entry
            .env
            .iter()
            .map(|(name, value)| (name.clone(), env::expand(value, &all)))
            .collect();
        defaults.push(("PATH".into(), format!("{PATH}:{folder}")));
        defaults.push(("HOSTNAME".into(), self.pod.name_any()));
        if has_api && tier != Tier::Simulated {
            defaults.push(("KUBECONFIG".into(), self.kubeconfig()));
        }
        if tier == Tier::Plain {
            let file = self
                .context
                .hosts
                .file(&namespace)
                .map_err(|error| error.to_string())?;
            defaults.push(("BROWNOUT_HOSTS".into(), file.display().to_string()));
        }
        for (name, value) in defaults {
            all.entry(name).or_insert(value);
        }
        Ok(all)
    }

    /// Clients look for a kubeconfig first, and on this machine would find that of whoever started the cluster.
    fn kubeconfig(&self) -> String {
        let mut mounts = self.manifest.volume_mounts.iter().flatten();
        let has_token = mounts
            .any(|mount| mount.mount_path == TOKEN_FOLDER && mount.name.starts_with(TOKEN_VOLUME));
        match has_token {
            true => format!("{TOKEN_FOLDER}/{KUBECONFIG}"),
            false => "/dev/null".into(),
        }
    }

    fn mounts(
        &self,
        entry: &ImageEntry,
        env: &BTreeMap<String, String>,
    ) -> Result<Vec<Mount>, String> {
        let mut mounts = self.volumes.mounts(self.manifest, env)?;
        let of_image = self.image_volumes(entry, &mounts);
        mounts.extend(of_image.map_err(|error| format!("volumes of the image: {error}"))?);
        if self.context.runtime.tier() != Tier::Sandboxed {
            return Ok(mounts);
        }
        let namespace = self.pod.namespace().unwrap_or_default();
        let hosts = self
            .context
            .hosts
            .file(&namespace)
            .map_err(|error| error.to_string())?;
        let [nsswitch, resolv] = self.context.hosts.resolver_files();
        for (source, target) in [
            (hosts, "/etc/hosts"),
            (nsswitch, "/etc/nsswitch.conf"),
            (resolv, "/etc/resolv.conf"),
        ] {
            mounts.push(Mount {
                source,
                below: PathBuf::new(),
                target: target.into(),
                read_only: false,
            });
        }
        if entry.program.starts_with("/tmp") {
            // A program built there must be visible although the container's own /tmp covers it.
            mounts.push(Mount {
                source: entry.program.clone(),
                below: PathBuf::new(),
                target: entry.program.clone(),
                read_only: true,
            });
        }
        Ok(mounts)
    }
}

impl Start<'_> {
    /// An empty folder for each volume of the image on which the manifest mounts nothing. They go with the pod.
    fn image_volumes(&self, entry: &ImageEntry, mounted: &[Mount]) -> io::Result<Vec<Mount>> {
        let folder = self.tmp.with_file_name(".image").join(&self.manifest.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let free = |target: &&PathBuf| !mounted.iter().any(|mount| mount.target == **target);
        let wanted = entry.volumes.iter().filter(free).enumerate();
        wanted
            .map(|(number, target)| {
                let source = folder.join(number.to_string());
                fs::create_dir_all(&source)?;
                Ok(Mount {
                    source,
                    below: PathBuf::new(),
                    target: target.clone(),
                    read_only: false,
                })
            })
            .collect()
    }
}

async fn read_sources(
    client: &Client,
    namespace: &str,
    container: &Container,
) -> kube::Result<Sources> {
    let (wanted, mut sources) = (env::wanted(container), Sources::default());
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    for name in wanted.config_maps {
        if let Some(map) = maps.get_opt(&name).await? {
            sources.config_maps.insert(name, map);
        }
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    for name in wanted.secrets {
        if let Some(secret) = secrets.get_opt(&name).await? {
            sources.secrets.insert(name, secret);
        }
    }
    Ok(sources)
}

async fn read_services(client: &Client, namespace: &str) -> kube::Result<BTreeMap<String, String>> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    Ok(links::service_links(
        &services.list(&ListParams::default()).await?.items,
    ))
}

/// The variables that announce the API: every pod has them, whatever else it wants to know of Services.
async fn read_api(client: &Client) -> kube::Result<BTreeMap<String, String>> {
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    Ok(links::service_links(&services.get_opt(links::API).await?))
}
