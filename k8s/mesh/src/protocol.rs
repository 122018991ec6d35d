//! protocol — whether a port speaks HTTP, as Istio's protocol selection has it.

/// What a Service says about its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1: requests are seen.
    Http,
    /// Anything else: connections alone are seen. HTTP/2 and gRPC are among it, for they are not taken apart here.
    Tcp,
    /// Nothing: the first bytes tell.
    Unknown,
}

const METHODS: [&str; 8] = [
    "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "TRACE ", "PATCH ",
];

impl Protocol {
    /// `appProtocol` comes before the port's name, of which the part before the first `-` counts.
    pub fn of(port_name: &str, app_protocol: Option<&str>) -> Protocol {
        let prefix = port_name.split('-').next().unwrap_or_default();
        let named = app_protocol.unwrap_or(prefix).to_ascii_lowercase();
        let is_grpc_web = app_protocol.is_none() && port_name.starts_with("grpc-web");
        match named.as_str() {
            "http" | "http1" | "grpc-web" | "kubernetes.io/ws" => Protocol::Http,
            _ if is_grpc_web => Protocol::Http,
            "tcp" | "udp" | "tls" | "https" | "mongo" | "mysql" | "redis" | "http2" | "grpc"
            | "kubernetes.io/h2c" => Protocol::Tcp,
            _ => Protocol::Unknown,
        }
    }

    /// Whether a connection that begins like this speaks HTTP/1.1.
    pub fn is_http(first_bytes: &[u8]) -> bool {
        let begins = |method: &&str| {
            let length = first_bytes.len().min(method.len());
            first_bytes[..length] == method.as_bytes()[..length]
        };
        !first_bytes.is_empty() && METHODS.iter().any(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_s_name_begins_with_its_protocol_unless_it_says_so_otherwise() {
        let of = |name| Protocol::of(name, None);
        assert_eq!(
            ["http", "http-web", "grpc-web"].map(of),
            [Protocol::Http; 3]
        );
        assert_eq!(
            ["tcp", "tcp-kafka", "https", "grpc", "redis-a"].map(of),
            [Protocol::Tcp; 5]
        );
        assert_eq!(["", "kafka", "web"].map(of), [Protocol::Unknown; 3]);
        assert_eq!(Protocol::of("tcp", Some("http")), Protocol::Http);
        assert_eq!(Protocol::of("http", Some("tcp")), Protocol::Tcp);
    }

    #[test]
    fn the_first_bytes_tell_http_from_anything_else() {
        assert!(Protocol::is_http(b"GET / HTTP/1.1"));
        assert!(Protocol::is_http(b"P") && Protocol::is_http(b"PATCH /"));
        // A Kafka frame begins with its length; HTTP/2 with a word of its own.
        assert!(!Protocol::is_http(&[0, 0, 0, 35, 0, 18]));
        assert!(!Protocol::is_http(b"PRI * HTTP/2.0"));
        assert!(!Protocol::is_http(b""));
    }
}
