//! Where a plan is performed: a cluster of our own in this process, or a real one.
use crate::{
    args,
    images::{self, ImageMap},
    select::Wrong,
};
use anyhow::Context;
use chaos::Place;
use cluster::Cluster;
use embedded::{Embedded, Options};
use model::ExitCode;
use node::{ShimCommand, runtime::Tier};
use std::path::Path;

/// What a timeline calls the cluster that ends with its process.
pub const EMBEDDED: &str = "embedded";

/// The hidden word that starts the shim.
pub const SHIM: &str = "shim";

pub use crate::images::IMAGE;

/// Said whenever pods are not kept apart.
const PLAIN: &str = "brownout: pods are plain processes here, for this machine allows no user namespaces: they share /tmp and the \
    host's names, and find Services by BROWNOUT_HOSTS (see k8s/README.md)";

/// A cluster to run on, and the embedded one behind it if there is one.
pub struct Ready {
    pub cluster: Cluster,
    pub place: Place,
    pub kind: &'static str,
    embedded: Option<Embedded>,
}

impl Ready {
    /// Ends what was started for it.
    pub async fn end(self) {
        if let Some(embedded) = self.embedded {
            embedded.shutdown().await;
        }
    }
}

/// Starts or connects. An embedded cluster keeps its things in `dir`.
pub async fn ready(wanted: &args::Scenarios, dir: &Path) -> anyhow::Result<Ready> {
    match wanted.cluster {
        args::Cluster::Embedded => {
            let tier = wanted.tier.map(|tier| match tier {
                args::Tier::Sandboxed => Tier::Sandboxed,
                args::Tier::Plain => Tier::Plain,
            });
            let embedded = start_embedded(dir, tier, &wanted.images.map).await?;
            if embedded.tier() == Tier::Plain {
                eprintln!("{PLAIN}");
            }
            let cluster = Cluster::new(embedded.client());
            Ok(Ready {
                cluster,
                place: Place::Embedded,
                kind: EMBEDDED,
                embedded: Some(embedded),
            })
        }
        args::Cluster::Kube => {
            let cluster = Cluster::connect(wanted.kubeconfig.as_deref(), wanted.context.as_deref());
            let cluster = cluster.await.map_err(|e| {
                Wrong(format!(
                    "{e}\n--kubeconfig and --context choose the cluster that --cluster kube runs on"
                ))
            })?;
            let place = Place::Kube {
                kubeconfig: wanted.kubeconfig.clone(),
                context: wanted.context.clone(),
            };
            Ok(Ready {
                cluster,
                place,
                kind: "kube",
                embedded: None,
            })
        }
    }
}

async fn start_embedded(
    dir: &Path,
    tier: Option<Tier>,
    map: &[ImageMap],
) -> anyhow::Result<Embedded> {
    let program = std::env::current_exe().context("finding this program")?;
    let options = Options {
        dir: std::path::absolute(dir)?,
        images: images::known(&program, map),
        shim: ShimCommand {
            program,
            args: vec![SHIM.into()],
        },
        tier,
        level: None,
        metric_resolution: embedded::METRIC_RESOLUTION,
    };
    embedded::start(options)
        .await
        .context("starting the embedded cluster")
}

/// `brownout cluster`: an embedded cluster until a signal comes.
pub async fn keep_cluster(dir: &Path, images: &args::Images) -> anyhow::Result<ExitCode> {
    let cluster = start_embedded(dir, None, &images.map).await?;
    println!(
        "An embedded cluster runs until Ctrl-C; pods are {}.",
        cluster.tier()
    );
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!(
        "Image {IMAGE} is this program: kubectl apply -f k8s/manifests/kafka.yaml -f k8s/manifests/mybnb/review.yaml"
    );
    let stop = runner::Stop::default();
    crate::signals::stop_on_signals(stop.clone(), |_| {})?;
    stop.wait().await;
    cluster.shutdown().await;
    Ok(ExitCode::Pass)
}
