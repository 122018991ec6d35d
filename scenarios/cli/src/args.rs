//! What can be typed.
use crate::images::ImageMap;
use clap::{Parser, Subcommand, ValueEnum};
use model::{Mutant, Profile};

use std::path::PathBuf;

/// Replays resilience experiments against services on Kubernetes and says, with evidence, whether they hold.
#[derive(Debug, Parser)]
#[command(name = "brownout", version, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay scenarios: all of the catalogue, some by name, or your own files
    #[command(alias = "run")]
    Scenarios(Scenarios),
    /// Check scenario files and say everything that is wrong with them
    Validate {
        /// Scenario files, or chaos files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Tell a scenario in plain words, every default included
    Explain {
        /// Name in the catalogue, or a file
        name: String,
        #[command(flatten)]
        arms: Variant,
    },
    /// Print the JSON Schema of scenario files
    Schema,
    /// Say which documented experiment is replayed by what and what that said last, and write it down
    Coverage {
        /// Where runs are kept
        #[arg(long, default_value = "runs")]
        runs: PathBuf,
        /// The file; a verdict in it stays where no newer run is found
        #[arg(long, default_value = "scenarios/COVERAGE.md")]
        file: PathBuf,
    },
    /// Judge a recorded run again and write its reports anew
    Report {
        /// The run's folder
        run: PathBuf,
        /// Write the JUnit file here as well
        #[arg(long)]
        junit: Option<PathBuf>,
    },
    /// Take away what a killed run left in a cluster
    Recover {
        /// Where runs are kept
        #[arg(long, default_value = "runs")]
        runs: PathBuf,
    },
    /// Strike pods without a scenario: by hand, or as a Job in the cluster
    #[command(subcommand)]
    Chaos(Chaos),
    /// Keep an embedded cluster running for kubectl, until Ctrl-C
    Cluster {
        /// Its folder
        #[arg(long, default_value = "runs/cluster")]
        dir: PathBuf,
        #[command(flatten)]
        images: Images,
    },
    /// Run a reference system, or one of its services, to click and curl
    Serve {
        /// The system: mybnb, gasstation, healthcenter, airbnb or demand-response
        system: String,
        /// One of its services; all of them if absent, the gateway on 8080 (of airbnb and demand-response 8088)
        service: Option<String>,
    },
    /// The broker, as a pod runs it
    #[command(hide = true)]
    Broker,
    /// The load worker, as a pod runs it
    #[command(hide = true)]
    LoadWorker,
    /// The pod that loads are compared with
    #[command(hide = true)]
    Canary,
}

#[derive(Debug, Subcommand)]
pub enum Chaos {
    /// Perform a chaos file; each blow is an event of the cluster and a line of JSON on standard output
    Run(ChaosRun),
    /// Check a chaos file and say everything that is wrong with it
    Validate {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub struct ChaosRun {
    /// The file
    pub file: PathBuf,
    /// Name the targets and check the rights, and touch nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Kubeconfig; the usual places if absent, and the service account in a pod
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    #[arg(long)]
    pub context: Option<String>,
    /// Feeds every choice by chance; the file's own if absent
    #[arg(long)]
    pub seed: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct Scenarios {
    /// Names in the catalogue (`mybnb/zero-downtime`), a system (`mybnb`), ids of documented experiments, or files; all if absent
    pub names: Vec<String>,
    /// Say what there is, and run nothing
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub variant: Variant,
    /// Where to run
    #[arg(long, value_enum, default_value = "embedded")]
    pub cluster: Cluster,
    /// Kubeconfig of a real cluster; the usual places if absent
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    #[arg(long)]
    pub context: Option<String>,
    /// Bootstrap address of a real Kafka, as pods reach it; brownout's own broker runs as a pod if absent
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Image that holds brownout, as the nodes of a real cluster know it
    #[arg(long, default_value = place_image())]
    pub image: String,
    #[command(flatten)]
    pub images: Images,
    /// How the embedded cluster keeps pods apart; the best this machine allows if absent
    #[arg(long, value_enum, hide = true)]
    pub tier: Option<Tier>,
    /// Where runs are kept
    #[arg(long, default_value = "runs")]
    pub runs: PathBuf,
    /// Write one JUnit file for everything that ran
    #[arg(long)]
    pub junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, clap::Args)]
pub struct Images {
    /// What the embedded cluster runs in place of an image, e.g. shop=target/debug/shop; may be repeated
    #[arg(long = "image-map", value_name = "IMAGE=PROGRAM")]
    pub map: Vec<ImageMap>,
}

fn place_image() -> &'static str {
    crate::place::IMAGE
}

#[derive(Debug, Clone, clap::Args)]
pub struct Variant {
    /// How long things take: seconds, or as long as in the reports
    #[arg(long, value_enum, default_value = "quick")]
    pub profile: Span,
    /// Run a test of the scenario instead: it must then be inconclusive, or fail
    #[arg(long, value_enum)]
    pub mutant: Option<Change>,
    /// Feeds every choice by chance; the scenario's own if absent
    #[arg(long)]
    pub seed: Option<u64>,
}

impl Variant {
    pub fn profile(&self) -> Profile {
        match self.profile {
            Span::Quick => Profile::Quick,
            Span::Documented => Profile::Documented,
        }
    }

    pub fn mutant(&self) -> Option<Mutant> {
        self.mutant.map(|change| match change {
            Change::NoFault => Mutant::NoFault,
            Change::MechanismOff => Mutant::MechanismOff,
        })
    }

    /// As it would be typed again.
    pub fn words(&self) -> String {
        let profile = format!(" --profile {}", self.profile().word());
        let mutant = self.mutant().map(|m| format!(" --mutant {}", m.word()));
        let seed = self.seed.map(|s| format!(" --seed {s}"));
        [Some(profile), mutant, seed]
            .into_iter()
            .flatten()
            .collect()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Span {
    /// Seconds
    Quick,
    /// As in the reports
    Documented,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Change {
    /// Every fault replaced by nothing: must be inconclusive
    NoFault,
    /// The mechanism under test switched off: must fail
    MechanismOff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cluster {
    /// In this process, with nothing installed
    Embedded,
    /// A real one, by its kubeconfig
    Kube,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tier {
    /// Processes with a world of their own
    Sandboxed,
    /// Processes like any other, as where the machine allows no namespaces
    Plain,
}

impl Tier {
    pub fn word(self) -> &'static str {
        match self {
            Tier::Sandboxed => "sandboxed",
            Tier::Plain => "plain",
        }
    }
}
