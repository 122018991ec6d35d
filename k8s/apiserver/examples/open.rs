//! Opens an empty cluster to kubectl until Ctrl-C: nothing runs in it, but everything can be written and read.
//!
//! `cargo run -p apiserver --example open > kubeconfig & kubectl --kubeconfig kubeconfig get all`

use apiserver::{ApiServer, Config};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let door = ApiServer::new(Config::default()).listen().await?;
    println!("{}", door.kubeconfig());
    tokio::signal::ctrl_c().await
}
