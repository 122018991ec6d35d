//! Services and the broker as processes of their own.
use kernel::System;
use model::ExitCode;
use std::{env, net::SocketAddr, process, time::Duration};

/// The reference systems.
const SYSTEMS: [System; 5] = [
    mybnb::SYSTEM,
    gasstation::SYSTEM,
    healthcenter::SYSTEM,
    airbnb::SYSTEM,
    demand_response::SYSTEM,
];

/// Runs a system, or one of its services.
pub fn serve(name: &str, service: Option<&str>) -> process::ExitCode {
    let Some(system) = SYSTEMS.into_iter().find(|system| system.name == name) else {
        let names = SYSTEMS.map(|system| system.name).join(", ");
        return wrong(&format!("there is no system {name}; there are {names}"));
    };
    match service {
        Some(service) => system.run(service),
        None => whole(&system),
    }
}

/// A whole system, with a broker of its own unless `KAFKA_BROKERS` names one.
fn whole(system: &System) -> process::ExitCode {
    if let Ok(brokers) = env::var("KAFKA_BROKERS") {
        return system.run_all(&brokers);
    }
    let Ok(dir) = tempfile::tempdir() else {
        return wrong("no temporary folder can be made for the broker");
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = broker::Config {
        initial_rebalance_delay: Duration::ZERO,
        ..broker::Config::new(listen, dir.path())
    };
    let runtime =
        tokio::runtime::Runtime::new().expect("a runtime needs only threads and an epoll");
    match runtime.block_on(broker::Broker::start(config)) {
        Ok(broker) => {
            let ended = system.run_all(&broker.local_addr().to_string());
            runtime.block_on(broker.shutdown());
            ended
        }
        Err(e) => wrong(&format!("the broker cannot start: {e}")),
    }
}

/// Runs the broker until SIGTERM: on `POD_IP` (else all addresses) port 9092, told to clients as `KAFKA_ADVERTISED`, with
/// its data in `KAFKA_DIR` (else `kafka` in the temporary folder).
pub fn broker() -> process::ExitCode {
    let config = match broker_config() {
        Ok(config) => config,
        Err(why) => return wrong(&why),
    };
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    // One thread serves thousands of messages a second, and a broker is one pod among many.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime needs only an epoll");
    match runtime.block_on(broker::run(config)) {
        Ok(()) => process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("brownout: the broker: {e}");
            process::ExitCode::from(ExitCode::Internal.number())
        }
    }
}

fn broker_config() -> Result<broker::Config, String> {
    let host = env::var("POD_IP").unwrap_or_else(|_| "0.0.0.0".into());
    let listen: SocketAddr = format!("{host}:9092")
        .parse()
        .map_err(|_| format!("POD_IP={host} is not an IPv4 address"))?;
    let dir = env::var_os("KAFKA_DIR").map_or_else(|| env::temp_dir().join("kafka"), Into::into);
    let advertised = env::var("KAFKA_ADVERTISED")
        .ok()
        .map(|a| advertised(&a))
        .transpose()?;
    let initial_rebalance_delay = Duration::ZERO;
    Ok(broker::Config {
        advertised,
        initial_rebalance_delay,
        ..broker::Config::new(listen, dir)
    })
}

fn advertised(text: &str) -> Result<(String, u16), String> {
    let parsed = text
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.to_string(), port.parse().ok()?)));
    parsed.ok_or_else(|| format!("KAFKA_ADVERTISED={text} is not host:port, like my-kafka:9092"))
}

fn wrong(why: &str) -> process::ExitCode {
    eprintln!("brownout: {why}");
    process::ExitCode::from(ExitCode::Usage.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_address_has_a_host_and_a_port() {
        assert_eq!(advertised("my-kafka:9092"), Ok(("my-kafka".into(), 9092)));
        assert!(
            advertised("my-kafka")
                .unwrap_err()
                .contains("my-kafka:9092")
        );
    }
}
