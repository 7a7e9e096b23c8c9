//! Every key, flag and variable of 0.6.8 to 0.17.10: what it says today, or why it is refused.

#[path = "common/config.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{config, load, migrated};
use moq_relay::config::{Config, Error};
use proptest::{collection::vec, prelude::*, sample::Index};

/// What a spelling does.
#[derive(Debug)]
enum Means {
    /// The same as this file of today.
    Sets(&'static str),
    /// It is refused, for a reason with these words.
    Refused(&'static str),
    /// It loads and changes nothing.
    Nothing,
}

use Means::{Nothing, Refused, Sets};

/// A value as text and in TOML, what it does, and the spellings: flags with their dashes, variables, and paths in a file.
type Row = (&'static str, &'static str, Means, &'static [&'static str]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("localhost:1", "'localhost:1'", Sets("server.listen = 'localhost:1'"), &["server.listen", "server.bind", "listen.bind", "listen.listen", "--listen", "--server-bind", "--bind", "--listen", "MOQ_SERVER_LISTEN", "MOQ_SERVER_BIND", "MOQ_LISTEN"]),
    ("localhost:1", "'localhost:1'", Sets("server.tcp.listen = 'localhost:1'"), &["server.tcp.bind", "listen.tcp.bind", "internal.tcp.listen", "--server-tcp-bind", "--listen-tcp-bind", "MOQ_SERVER_TCP_BIND", "MOQ_LISTEN_TCP_BIND"]),
    ("a", "'a'", Sets("server.unix.listen = 'a'"), &["server.unix.bind", "listen.unix.bind", "internal.uds.listen", "--server-unix-bind", "--listen-unix-bind", "--internal-uds-listen", "MOQ_SERVER_UNIX_BIND", "MOQ_LISTEN_UNIX_BIND", "MOQ_INTERNAL_UDS_LISTEN"]),
    ("1,2", "[1, 2]", Sets("server.unix.allow.uid = [1, 2]"), &["server.unix.allow.uid", "listen.unix.allow.uid", "internal.uds.allow.uid", "--server-unix-allow-uid", "--listen-unix-allow-uid", "--internal-allow-uid", "MOQ_SERVER_UNIX_ALLOW_UID", "MOQ_LISTEN_UNIX_ALLOW_UID", "MOQ_INTERNAL_ALLOW_UID"]),
    ("1,2", "[1, 2]", Sets("server.unix.allow.gid = [1, 2]"), &["server.unix.allow.gid", "listen.unix.allow.gid", "internal.uds.allow.gid", "--server-unix-allow-gid", "--listen-unix-allow-gid", "--internal-allow-gid", "MOQ_SERVER_UNIX_ALLOW_GID", "MOQ_LISTEN_UNIX_ALLOW_GID", "MOQ_INTERNAL_ALLOW_GID"]),
    ("1,2", "[1, 2]", Sets("server.unix.allow.pid = [1, 2]"), &["server.unix.allow.pid", "listen.unix.allow.pid", "internal.uds.allow.pid", "--server-unix-allow-pid", "--listen-unix-allow-pid", "--internal-allow-pid", "MOQ_SERVER_UNIX_ALLOW_PID", "MOQ_LISTEN_UNIX_ALLOW_PID", "MOQ_INTERNAL_ALLOW_PID"]),
    ("192.0.2.1:1", "'192.0.2.1:1'", Sets("server.preferred_v4 = '192.0.2.1:1'"), &["server.preferred_v4", "server.quic.preferred_v4", "listen.preferred_v4", "--server-preferred-v4", "--listen-preferred-v4", "MOQ_SERVER_PREFERRED_V4", "MOQ_LISTEN_PREFERRED_V4"]),
    ("[2001:db8::1]:1", "'[2001:db8::1]:1'", Sets("server.preferred_v6 = '[2001:db8::1]:1'"), &["server.preferred_v6", "server.quic.preferred_v6", "listen.preferred_v6", "--server-preferred-v6", "--listen-preferred-v6", "MOQ_SERVER_PREFERRED_V6", "MOQ_LISTEN_PREFERRED_V6"]),
    ("0a", "\"0a\"", Refused("load balancers"), &["server.quic_lb_id", "server.quic.quic_lb_id", "listen.load_balancer.id", "--server-quic-lb-id", "--listen-quic-lb-id", "MOQ_SERVER_QUIC_LB_ID", "MOQ_LISTEN_QUIC_LB_ID"]),
    ("8", "8", Nothing, &["server.quic_lb_nonce", "server.quic.quic_lb_nonce", "listen.load_balancer.nonce", "--server-quic-lb-nonce", "--listen-quic-lb-nonce", "MOQ_SERVER_QUIC_LB_NONCE", "MOQ_LISTEN_QUIC_LB_NONCE"]),
    ("noq", "'noq'", Refused("quinn"), &["server.backend", "client.backend", "--server-backend", "--client-backend", "MOQ_SERVER_BACKEND", "MOQ_CLIENT_BACKEND"]),
    ("quinn", "'quinn'", Nothing, &["server.backend", "client.backend", "--server-backend", "--client-backend", "MOQ_SERVER_BACKEND", "MOQ_CLIENT_BACKEND"]),
    ("moq-lite-03", "['moq-lite-03']", Sets("server.version = ['moq-lite-03']"), &["server.version", "listen.version", "--server-version", "--listen-version", "MOQ_SERVER_VERSION", "MOQ_LISTEN_VERSION"]),
    ("moq-lite-03", "['moq-lite-03']", Sets("client.version = ['moq-lite-03']"), &["client.version", "connect.version", "--client-version", "--connect-version", "MOQ_CLIENT_VERSION", "MOQ_CONNECT_VERSION"]),
    ("3s", "'3s'", Sets("server.timeout = '3s'"), &["listen.timeout", "--listen-timeout", "MOQ_LISTEN_TIMEOUT"]),
    ("a:b", "{ cert = ['a'], key = ['b'] }", Sets("server.tls = { cert = ['a'], key = ['b'] }"), &["--tls-cert", "MOQ_SERVER_TLS_CERT"]),
    ("a", "['a']", Sets("server.tls.cert = ['a']"), &["server.tls.cert", "listen.tls.cert", "--tls-cert", "--server-tls-cert", "--listen-tls-cert", "MOQ_SERVER_TLS_CERT", "MOQ_LISTEN_TLS_CERT"]),
    ("a", "['a']", Sets("server.tls.key = ['a']"), &["server.tls.key", "listen.tls.key", "--tls-key", "--server-tls-key", "--listen-tls-key", "MOQ_SERVER_TLS_KEY", "MOQ_LISTEN_TLS_KEY"]),
    ("", "[{ chain = 'a', key = 'b' }, { chain = 'c', key = 'd' }]", Sets("server.tls = { cert = ['a', 'c'], key = ['b', 'd'] }"), &["server.tls.cert"]),
    ("a,b:1", "['a', 'b']", Sets("server.tls.generate = ['a', 'b']"), &["server.tls.generate", "listen.tls.generate", "--tls-generate", "--tls-self-sign", "--server-tls-generate", "--listen-tls-generate", "MOQ_SERVER_TLS_GENERATE", "MOQ_LISTEN_TLS_GENERATE"]),
    ("a", "['a']", Sets("server.tls = { cert = ['a'], key = ['a'] }"), &["server.tls.identity", "--server-tls-identity", "MOQ_SERVER_TLS_IDENTITY"]),
    ("127.0.0.1:1", "'127.0.0.1:1'", Sets("client.bind = '127.0.0.1:1'"), &["client.bind", "connect.bind", "--client-bind", "--connect-bind", "MOQ_CLIENT_BIND", "MOQ_CONNECT_BIND"]),
    ("https://a/", "'https://a/'", Nothing, &["client.connect", "connect.url", "connect.connect", "--client-connect", "--connect", "MOQ_CLIENT_CONNECT", "MOQ_CONNECT"]),
    ("7s", "'7s'", Sets("client.race = '7s'"), &["client.failover_delay", "connect.race", "connect.failover_delay", "--client-failover-delay", "--connect-race", "MOQ_CLIENT_FAILOVER_DELAY", "MOQ_CONNECT_RACE"]),
    ("7s", "'7s'", Sets("client.resolution_delay = '7s'"), &["client.resolution_delay", "connect.resolution_delay", "--client-resolution-delay", "--connect-resolution-delay", "MOQ_CLIENT_RESOLUTION_DELAY", "MOQ_CONNECT_RESOLUTION_DELAY"]),
    ("7s", "'7s'", Sets("client.timeout = '7s'"), &["client.timeout", "connect.timeout", "--client-connect-timeout", "--connect-timeout", "MOQ_CLIENT_CONNECT_TIMEOUT", "MOQ_CONNECT_TIMEOUT"]),
    ("true", "true", Sets("client.once = true"), &["connect.once", "--connect-once", "MOQ_CONNECT_ONCE"]),
    ("false", "false", Sets("client.once = true"), &["client.reconnect", "connect.reconnect", "--client-reconnect", "MOQ_CLIENT_RECONNECT"]),
    ("7s", "'7s'", Sets("client.backoff.initial = '7s'"), &["client.backoff.initial", "connect.backoff.initial", "--backoff-initial", "MOQ_BACKOFF_INITIAL"]),
    ("7s", "'7s'", Sets("client.backoff.max = '7s'"), &["client.backoff.max", "connect.backoff.max", "--backoff-max", "MOQ_BACKOFF_MAX"]),
    ("7s", "'7s'", Sets("client.backoff.timeout = '7s'"), &["client.backoff.timeout", "connect.backoff.timeout", "--backoff-timeout", "MOQ_BACKOFF_TIMEOUT"]),
    ("7", "7", Sets("client.backoff.multiplier = 7"), &["client.backoff.multiplier", "connect.backoff.multiplier", "--backoff-multiplier", "MOQ_BACKOFF_MULTIPLIER"]),
    ("follow", "'follow'", Sets("client.goaway.redirect = 'follow'"), &["connect.goaway.redirect", "--goaway-redirect", "MOQ_GOAWAY_REDIRECT"]),
    ("7s", "'7s'", Sets("client.goaway.handover = '7s'"), &["connect.goaway.handover", "--goaway-handover", "MOQ_GOAWAY_HANDOVER"]),
    ("false", "false", Sets("client.websocket.enabled = false"), &["client.websocket.enabled", "connect.websocket.enabled", "--websocket-enabled", "--connect-websocket-enabled", "MOQ_CLIENT_WEBSOCKET_ENABLED", "MOQ_CONNECT_WEBSOCKET_ENABLED"]),
    ("7s", "'7s'", Sets("client.websocket.delay = '7s'"), &["client.websocket.delay", "connect.websocket.delay", "--websocket-delay", "--connect-websocket-delay", "MOQ_CLIENT_WEBSOCKET_DELAY", "MOQ_CONNECT_WEBSOCKET_DELAY"]),
    ("a", "['a']", Sets("server.tls.root = ['a']"), &["server.tls.root", "listen.tls.root", "--server-tls-root", "--listen-tls-root", "MOQ_SERVER_TLS_ROOT", "MOQ_LISTEN_TLS_ROOT"]),
    ("a", "['a']", Sets("web.https.root = ['a']"), &["web.https.root", "--web-https-root", "MOQ_WEB_HTTPS_ROOT"]),
    ("a", "['a']", Sets("client.tls.root = ['a']"), &["client.tls.root", "connect.tls.root", "--tls-root", "--client-tls-root", "--connect-tls-root", "MOQ_CLIENT_TLS_ROOT", "MOQ_CONNECT_TLS_ROOT"]),
    ("true", "true", Sets("client.tls.disable_verify = true"), &["client.tls.disable_verify", "connect.tls.insecure", "connect.tls.disable_verify", "--tls-disable-verify", "--client-tls-disable-verify", "--client-tls-insecure", "--connect-tls-insecure", "MOQ_CLIENT_TLS_DISABLE_VERIFY", "MOQ_CONNECT_TLS_INSECURE"]),
    ("a", "'a'", Sets("client.tls.identity = 'a'"), &["client.tls.cert", "client.tls.key", "client.tls.identity", "connect.tls.cert", "connect.tls.key", "--client-tls-cert", "--client-tls-key", "--client-tls-identity", "--connect-tls-cert", "--connect-tls-key", "MOQ_CLIENT_TLS_CERT", "MOQ_CLIENT_TLS_KEY", "MOQ_CLIENT_TLS_IDENTITY", "MOQ_CONNECT_TLS_CERT", "MOQ_CONNECT_TLS_KEY"]),
    ("true", "true", Sets("client.tls.system_roots = true"), &["client.tls.system_roots", "connect.tls.system_roots", "--tls-system-roots", "--client-tls-system-roots", "--connect-tls-system-roots", "MOQ_CLIENT_TLS_SYSTEM_ROOTS", "MOQ_CONNECT_TLS_SYSTEM_ROOTS"]),
    ("abababababababababababababababababababababababababababababababab", "'abababababababababababababababababababababababababababababababab'", Sets("client.tls.fingerprint = 'abababababababababababababababababababababababababababababababab'"), &["client.tls.fingerprint", "connect.tls.fingerprint", "--tls-fingerprint", "--client-tls-fingerprint", "--connect-tls-fingerprint", "MOQ_CLIENT_TLS_FINGERPRINT", "MOQ_CONNECT_TLS_FINGERPRINT"]),
    ("a", "'a'", Sets("client.tls.host_name = 'a'"), &["client.tls.host_name", "connect.tls.host_name", "--client-tls-host-name", "--connect-tls-host-name", "MOQ_CLIENT_TLS_HOST_NAME", "MOQ_CONNECT_TLS_HOST_NAME"]),
    ("7", "7", Sets("quic.max_streams = 7"), &["quic.max_streams", "server.quic.max_streams", "--quic-max-streams", "--server-quic-max-streams", "MOQ_QUIC_MAX_STREAMS", "MOQ_SERVER_QUIC_MAX_STREAMS", "server.max_streams", "--server-max-streams", "MOQ_SERVER_MAX_STREAMS"]),
    ("7", "7", Sets("client.quic.max_streams = 7"), &["client.quic.max_streams", "--client-quic-max-streams", "MOQ_CLIENT_QUIC_MAX_STREAMS", "client.max_streams", "--client-max-streams", "MOQ_CLIENT_MAX_STREAMS"]),
    ("false", "false", Sets("quic.gso = false"), &["quic.gso", "server.quic.gso", "--quic-gso", "--server-quic-gso", "MOQ_QUIC_GSO", "MOQ_SERVER_QUIC_GSO"]),
    ("false", "false", Sets("client.quic.gso = false"), &["client.quic.gso", "--client-quic-gso", "MOQ_CLIENT_QUIC_GSO"]),
    ("7s", "'7s'", Sets("quic.idle_timeout = '7s'"), &["quic.idle_timeout", "server.quic.idle_timeout", "--quic-idle-timeout", "--server-quic-idle-timeout", "MOQ_QUIC_IDLE_TIMEOUT", "MOQ_SERVER_QUIC_IDLE_TIMEOUT"]),
    ("7s", "'7s'", Sets("client.quic.idle_timeout = '7s'"), &["client.quic.idle_timeout", "--client-quic-idle-timeout", "MOQ_CLIENT_QUIC_IDLE_TIMEOUT"]),
    ("7s", "'7s'", Sets("quic.keep_alive = '7s'"), &["quic.keep_alive", "server.quic.keep_alive", "--quic-keep-alive", "--server-quic-keep-alive", "MOQ_QUIC_KEEP_ALIVE", "MOQ_SERVER_QUIC_KEEP_ALIVE"]),
    ("7s", "'7s'", Sets("client.quic.keep_alive = '7s'"), &["client.quic.keep_alive", "--client-quic-keep-alive", "MOQ_CLIENT_QUIC_KEEP_ALIVE"]),
    ("false", "false", Sets("quic.mtu_discovery = false"), &["quic.mtu_discovery", "server.quic.mtu_discovery", "--quic-mtu-discovery", "--server-quic-mtu-discovery", "MOQ_QUIC_MTU_DISCOVERY", "MOQ_SERVER_QUIC_MTU_DISCOVERY"]),
    ("false", "false", Sets("client.quic.mtu_discovery = false"), &["client.quic.mtu_discovery", "--client-quic-mtu-discovery", "MOQ_CLIENT_QUIC_MTU_DISCOVERY"]),
    ("loss", "'loss'", Sets("quic.congestion_control = 'loss'"), &["quic.congestion_control", "server.quic.congestion_control", "--quic-congestion-control", "--server-quic-congestion-control", "MOQ_QUIC_CONGESTION_CONTROL", "MOQ_SERVER_QUIC_CONGESTION_CONTROL"]),
    ("delay", "'delay'", Sets("client.quic.congestion_control = 'delay'"), &["client.quic.congestion_control", "--client-quic-congestion-control", "MOQ_CLIENT_QUIC_CONGESTION_CONTROL"]),
    ("a", "'a'", Refused("qlog"), &["quic.qlog", "client.quic.qlog", "server.quic.qlog", "--quic-qlog", "--client-quic-qlog", "--server-quic-qlog", "MOQ_QUIC_QLOG", "MOQ_CLIENT_QUIC_QLOG", "MOQ_SERVER_QUIC_QLOG"]),
    ("7", "7", Sets("quic.receive_window = 7"), &["quic.receive_window", "--quic-receive-window", "MOQ_QUIC_RECEIVE_WINDOW"]),
    ("7", "7", Sets("quic.stream_receive_window = 7"), &["quic.stream_receive_window", "--quic-stream-receive-window", "MOQ_QUIC_STREAM_RECEIVE_WINDOW"]),
    ("7", "7", Sets("quic.send_window = 7"), &["quic.send_window", "--quic-send-window", "MOQ_QUIC_SEND_WINDOW"]),
    ("debug", "'debug'", Sets("log.level = 'debug'"), &["log.level", "--log-level", "MOQ_LOG_LEVEL"]),
    ("5", "'5'", Sets("log.level = 'trace'"), &["log.level", "--log-level", "MOQ_LOG_LEVEL"]),
    ("", "", Sets("log.level = 'debug'"), &["-v", "--verbose"]),
    ("", "", Sets("log.level = 'trace'"), &["-vv"]),
    ("", "", Sets("log.level = 'error'"), &["-q", "--quiet"]),
    ("", "", Sets("log.level = 'off'"), &["-qq"]),
    ("", "", Nothing, &["--dev"]),
    ("", "", Sets("client.tls.disable_verify = true"), &["--tls-disable-verify"]),
    ("true", "true", Refused("no iroh"), &["iroh.enabled", "--iroh-enabled", "MOQ_IROH_ENABLED"]),
    ("false", "false", Nothing, &["iroh.enabled", "--iroh-enabled", "MOQ_IROH_ENABLED"]),
    ("a", "'a'", Nothing, &["iroh.secret", "--iroh-secret", "MOQ_IROH_SECRET"]),
    ("a", "'a'", Nothing, &["iroh.bind_v4", "--iroh-bind-v4", "MOQ_IROH_BIND_V4"]),
    ("a", "'a'", Nothing, &["iroh.bind_v6", "--iroh-bind-v6", "MOQ_IROH_BIND_V6"]),
    ("true", "true", Nothing, &["iroh.disable_relay", "--iroh-disable-relay", "MOQ_IROH_DISABLE_RELAY"]),
    ("localhost:1", "'localhost:1'", Sets("web.http.listen = 'localhost:1'"), &["web.http.listen", "--web-http-listen", "MOQ_WEB_HTTP_LISTEN"]),
    ("localhost:1", "'localhost:1'", Sets("web.https.listen = 'localhost:1'"), &["web.https.listen", "--web-https-listen", "MOQ_WEB_HTTPS_LISTEN"]),
    ("a", "'a'", Sets("web.https.cert = 'a'"), &["web.https.cert", "--web-https-cert", "MOQ_WEB_HTTPS_CERT"]),
    ("a", "'a'", Sets("web.https.key = 'a'"), &["web.https.key", "--web-https-key", "MOQ_WEB_HTTPS_KEY"]),
    ("false", "false", Sets("web.ws = false"), &["web.ws", "--web-ws", "MOQ_WEB_WS"]),
    ("75%", "75", Refused("/health"), &["web.health.cpu", "--web-health-cpu", "MOQ_WEB_HEALTH_CPU"]),
    ("32GB", "'32GB'", Refused("/health"), &["web.health.ram", "--web-health-ram", "MOQ_WEB_HEALTH_RAM"]),
    ("4Gb", "'4Gb'", Refused("/health"), &["web.health.rx", "--web-health-rx", "MOQ_WEB_HEALTH_RX"]),
    ("4Gb", "'4Gb'", Refused("/health"), &["web.health.tx", "--web-health-tx", "MOQ_WEB_HEALTH_TX"]),
    ("1.5", "1.5", Refused("/health"), &["web.health.load1", "--web-health-load1", "MOQ_WEB_HEALTH_LOAD1"]),
    ("2", "2", Refused("/health"), &["web.health.load5", "--web-health-load5", "MOQ_WEB_HEALTH_LOAD5"]),
    ("90%", "'90%'", Refused("/health"), &["web.health.load15", "--web-health-load15", "MOQ_WEB_HEALTH_LOAD15"]),
    ("https://a", "'https://a'", Refused("/health"), &["web.health.api", "--web-health-api", "MOQ_WEB_HEALTH_API"]),
    ("2", "2", Nothing, &["web.health.interval", "--web-health-interval", "MOQ_WEB_HEALTH_INTERVAL"]),
    ("localhost:1", "'localhost:1'", Sets("internal.listen = 'localhost:1'"), &["internal.listen", "--internal-listen", "MOQ_INTERNAL_LISTEN"]),
    ("a", "'a'", Sets("auth.key = 'a'"), &["auth.key", "--auth-key", "MOQ_AUTH_KEY"]),
    ("a", "'a'", Sets("auth.key_dir = 'a'"), &["auth.key_dir", "--auth-key-dir", "MOQ_AUTH_KEY_DIR"]),
    ("a=b", "{ a = 'b' }", Sets("auth = { paths = { a = 'b' }, token_in_path = true }"), &["auth.path", "--auth-path"]),
    ("a=", "{ a = '' }", Sets("auth = { public = 'a', token_in_path = true }"), &["auth.path", "--auth-path"]),
    ("", "'b'", Sets("auth.paths = { a = 'b' }"), &["auth.path.a.key"]),
    ("", "''", Sets("auth.public = 'a'"), &["auth.path.a.key"]),
    ("", "true", Sets("auth.public.subscribe = 'a'"), &["auth.path.a.public.read"]),
    ("", "true", Sets("auth.public.publish = 'a'"), &["auth.path.a.public.write"]),
    ("true", "true", Sets("auth.public.subscribe = ''"), &["auth.public.read", "--auth-public-read"]),
    ("true", "true", Sets("auth.public.publish = ''"), &["auth.public.write", "--auth-public-write"]),
    ("a", "'a'", Sets("auth.public = 'a'"), &["auth.public", "--auth-public", "MOQ_AUTH_PUBLIC"]),
    ("a/**,b/**", "['a/**', 'b/**']", Sets("auth.public = ['a', 'b']"), &["auth.public", "--auth-public", "MOQ_AUTH_PUBLIC"]),
    ("a", "'a'", Sets("auth.public.subscribe = 'a'"), &["auth.public.subscribe", "auth.public_subscribe", "--auth-public-subscribe", "MOQ_AUTH_PUBLIC_SUBSCRIBE"]),
    ("a", "'a'", Sets("auth.public.publish = 'a'"), &["auth.public.publish", "auth.public_publish", "--auth-public-publish", "MOQ_AUTH_PUBLIC_PUBLISH"]),
    ("https://a", "'https://a'", Sets("auth.public.api = 'https://a'"), &["auth.public.api", "--auth-public-api", "MOQ_AUTH_PUBLIC_API"]),
    ("45", "45", Sets("auth.refresh_interval = 45"), &["auth.refresh_interval", "--auth-refresh-interval", "MOQ_AUTH_REFRESH_INTERVAL"]),
    ("a", "'a'", Sets("auth.tls.root = 'a'"), &["auth.tls.root", "--auth-tls-root", "MOQ_AUTH_TLS_ROOT"]),
    ("a", "'a'", Sets("auth.tls.identity = 'a'"), &["auth.tls.cert", "auth.tls.key", "auth.tls.identity", "--auth-tls-cert", "--auth-tls-key", "--auth-tls-identity", "MOQ_AUTH_TLS_CERT", "MOQ_AUTH_TLS_KEY", "MOQ_AUTH_TLS_IDENTITY"]),
    ("true", "true", Sets("auth.tls.disable_verify = true"), &["auth.tls.disable_verify", "--auth-tls-disable-verify", "MOQ_AUTH_TLS_DISABLE_VERIFY"]),
    (".A.example", "'.A.example'", Sets("auth.domains = 'a.example'"), &["auth.domains", "--auth-domain", "MOQ_AUTH_DOMAIN"]),
    ("https://a", "'https://a'", Sets("auth.api = 'https://a'"), &["auth.auth_api", "--auth-api", "MOQ_AUTH_API"]),
    ("a", "'a'", Sets("auth.mtls_tier = 'a'"), &["auth.mtls_tier", "--auth-mtls-tier", "MOQ_AUTH_MTLS_TIER"]),
    ("https://a", "'https://a'", Sets("auth.url = 'https://a'"), &["auth.url", "--auth-url", "MOQ_AUTH_URL"]),
    ("a", "'a'", Sets("cluster.root = 'a'"), &["cluster.root", "--cluster-root", "MOQ_CLUSTER_ROOT"]),
    ("a", "'a'", Sets("cluster.node = 'a'"), &["cluster.node", "cluster.advertise", "--cluster-node", "--cluster-advertise", "MOQ_CLUSTER_NODE", "MOQ_CLUSTER_ADVERTISE"]),
    ("a/b", "'a/b'", Sets("cluster.prefix = 'a/b'"), &["cluster.prefix", "--cluster-prefix", "MOQ_CLUSTER_PREFIX"]),
    ("a", "'a'", Sets("cluster.token = 'a'"), &["cluster.token", "--cluster-token", "MOQ_CLUSTER_TOKEN"]),
    ("a", "'a'", Sets("cluster.connect = 'a'"), &["cluster.connect", "--cluster-connect", "MOQ_CLUSTER_CONNECT"]),
    ("https://a/?cost=2,b", "[{ url = 'https://a/', cost = 2, egress = 2 }, 'b']", Sets("cluster.connect = ['https://a/?cost=2', 'b']"), &["cluster.connect", "--cluster-connect", "MOQ_CLUSTER_CONNECT"]),
    ("a", "'a'", Sets("cluster.connect_api = 'a'"), &["cluster.connect_api", "--cluster-connect-api", "MOQ_CLUSTER_CONNECT_API"]),
    ("true", "true", Sets("cluster.mesh = true"), &["cluster.mesh", "--cluster-mesh", "MOQ_CLUSTER_MESH"]),
    ("https://a", "'https://a'", Sets("cluster = { node = 'https://a', mesh = true }"), &["cluster.mesh", "--cluster-mesh", "MOQ_CLUSTER_MESH"]),
    ("7", "7", Sets("cluster.id = 7"), &["cluster.id", "--cluster-id", "MOQ_CLUSTER_ID"]),
    ("a", "'a'", Sets("cluster.tier = 'a'"), &["cluster.tier", "--cluster-tier", "MOQ_CLUSTER_TIER"]),
    ("7s", "'7s'", Sets("cluster.linger = '7s'"), &["cluster.linger", "--cluster-linger", "MOQ_CLUSTER_LINGER"]),
    ("true", "true", Refused("mDNS"), &["cluster.lan.enabled", "--cluster-lan", "MOQ_CLUSTER_LAN"]),
    ("false", "false", Nothing, &["cluster.lan.enabled", "--cluster-lan", "MOQ_CLUSTER_LAN"]),
    ("a", "'a'", Nothing, &["cluster.lan.secret", "--cluster-lan-secret", "MOQ_CLUSTER_LAN_SECRET"]),
    ("a", "'a'", Nothing, &["cluster.lan.app", "--cluster-lan-app", "MOQ_CLUSTER_LAN_APP"]),
    ("7", "7", Sets("cluster.max_hops = 7"), &["cluster.max_hops", "--cluster-max-hops", "MOQ_CLUSTER_MAX_HOPS"]),
    ("true", "true", Sets("stats.enabled = true"), &["stats.enabled", "--stats-enabled", "MOQ_STATS_ENABLED"]),
    ("a", "'a'", Sets("stats.prefix = 'a'"), &["stats.prefix", "--stats-prefix", "MOQ_STATS_PREFIX"]),
    ("3", "3", Sets("stats.depth = 2"), &["stats.levels", "--stats-levels", "MOQ_STATS_LEVELS"]),
    ("a/b", "'a/b'", Sets("stats.node = 'a/b'"), &["stats.node", "--stats-node", "MOQ_STATS_NODE"]),
    ("7", "7", Sets("stats.interval = 7"), &["stats.interval", "--stats-interval", "MOQ_STATS_INTERVAL"]),
    ("7", "7", Sets("stats.depth = 7"), &["stats.depth", "--stats-depth", "MOQ_STATS_DEPTH"]),
    ("7s", "'7s'", Sets("stats.linger = '7s'"), &["stats.linger", "--stats-linger", "MOQ_STATS_LINGER"]),
    ("7GiB", "'7GiB'", Sets("cache.capacity = '7GiB'"), &["cache.capacity", "--cache-capacity", "MOQ_CACHE_CAPACITY"]),
    ("7GiB", "'7GiB'", Sets("cache.headroom = '7GiB'"), &["cache.headroom", "--cache-headroom", "MOQ_CACHE_HEADROOM"]),
    ("7s", "'7s'", Sets("cache.duration = '7s'"), &["cache.duration", "--cache-duration", "MOQ_CACHE_DURATION"]),
    ("7", "7", Sets("runtime.workers = 7"), &["runtime.workers", "--runtime-workers", "MOQ_RUNTIME_WORKERS"]),
    ("false", "false", Sets("runtime.pin = false"), &["runtime.pin", "--runtime-pin", "MOQ_RUNTIME_PIN"]),
    ("true", "true", Refused("io_uring"), &["runtime.io_uring", "--runtime-io-uring", "MOQ_RUNTIME_IO_URING"]),
    ("false", "false", Nothing, &["runtime.io_uring", "--runtime-io-uring", "MOQ_RUNTIME_IO_URING"]),
    ("7s", "'7s'", Sets("server.drain = '7s'"), &["drain_timeout", "--drain-timeout", "MOQ_DRAIN_TIMEOUT"]),
    ("", "'a'", Nothing, &["file"]),
];

/// All that the published releases understood, so that a row which goes missing is seen.
const SPELLINGS: &str = include_str!("configs/spellings.txt");

#[test]
fn every_spelling_has_a_row() {
    let known: BTreeSet<_> = SPELLINGS.lines().collect();
    let tested: BTreeSet<_> = ROWS.iter().flat_map(|row| row.3).copied().collect();
    assert_eq!(known.difference(&tested).collect::<Vec<_>>(), Vec::<&&str>::new(), "not tested");
    assert_eq!(tested.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the list");
}

#[test]
fn every_spelling_means_what_it_meant() {
    let default = config("");
    for (text, toml, means, spellings) in ROWS {
        for spelling in *spellings {
            let (result, place) = spell(spelling, text, toml);
            match (means, result) {
                (Sets(today), Ok((is, _))) => {
                    assert_eq!(is, config(today), "{spelling}");
                    assert_ne!(is, default, "{spelling}");
                }
                (Nothing, Ok((is, notes))) => {
                    assert_eq!(is, default, "{spelling}");
                    assert_eq!(notes.len(), 1, "{notes:?}");
                    assert!(notes[0].contains("changes nothing"), "{notes:?}");
                }
                (Refused(why), Err(error)) => {
                    let error = error.to_string();
                    assert!(error.contains(why) && error.contains(&place), "{error}");
                }
                (means, result) => panic!("{spelling} {text}: {result:?} is not {means:?}"),
            }
        }
    }
}

#[test]
fn every_older_spelling_has_one_line_in_the_log() {
    for (text, toml, means, spellings) in ROWS {
        let Sets(today) = means else { continue };
        for spelling in *spellings {
            let (result, place) = spell(spelling, text, toml);
            let notes = result.unwrap().1;
            assert!(notes.len() <= 1, "{notes:?}");
            assert!(notes.iter().all(|note| note.contains(&place)), "{spelling}: {notes:?}");
            let is_path = !spelling.starts_with('-') && !spelling.starts_with("MOQ_");
            if is_path && !today.contains('{') {
                let is_today = today.split(' ').next() == Some(*spelling) && !notes.iter().any(|n| n.contains("said"));
                assert_eq!(notes.is_empty(), is_today, "{spelling} = {toml}: {notes:?}");
            }
        }
    }
}

#[test]
fn every_older_key_is_rewritten_to_the_same() {
    for (_, toml, means, spellings) in ROWS {
        if matches!(means, Refused(_)) {
            continue;
        }
        for path in spellings.iter().filter(|spelling| !spelling.starts_with('-') && !spelling.starts_with("MOQ_")) {
            let old = format!("# about it\n{path} = {toml} # too\n");
            let new = migrated(&old).unwrap_or_else(|| old.clone());
            assert_eq!(config(&new), config(&old), "{new}");
            assert!(common::file(&new).unwrap().notes.is_empty(), "{old}{new}");
            assert_eq!(migrated(&new), None, "{new}");
            if matches!(means, Sets(_)) {
                assert!(new.contains("# about it") && new.contains("# too"), "{old}{new}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_is_rewritten_to_the_same(picks in vec((any::<Index>(), any::<Index>(), any::<bool>()), 1..8)) {
        let mut text = String::new();
        let mut tables = BTreeMap::<&str, String>::new();
        for (row, path, in_table) in picks {
            let (_, toml, _, spellings) = row.get(ROWS);
            let paths: Vec<_> = spellings.iter().filter(|path| !path.starts_with('-') && !path.starts_with("MOQ_")).collect();
            if paths.is_empty() {
                continue;
            }
            match path.get(&paths).split_once('.').filter(|_| in_table) {
                Some((table, rest)) => *tables.entry(table).or_default() += &format!("# {rest}\n{rest} = {toml} # it\n"),
                None => text += &format!("# {0}\n{0} = {toml} # it\n", path.get(&paths)),
            }
        }
        for (table, keys) in tables {
            text += &format!("\n# The table {table}.\n[{table}]\n{keys}");
        }
        // Some say the same twice, and some cannot be said together.
        if let Ok(loaded) = common::file(&text) {
            let new = match common::migrate(&text) {
                Ok(new) => new.unwrap_or_else(|| text.clone()),
                // Rules of two eras, which no release took together.
                Err(Error::ByHand { .. }) if text.contains("auth") && text.contains("public") => return Ok(()),
                Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
            };
            prop_assert_eq!(config(&new), loaded.config, "{}\n{}", text, new);
            prop_assert_eq!(migrated(&new), None, "{}\n{}", text, new);
        }
    }
}

/// What somebody gets who uses a spelling, and how messages name it.
fn spell(spelling: &str, text: &str, toml: &str) -> (Result<(Config, Vec<String>), Error>, String) {
    let result = if spelling.starts_with('-') {
        // A file on the command line is what makes `--bind` the client's.
        let file = (spelling != "--bind").then_some("");
        let flag = if text.is_empty() { spelling.to_owned() } else { format!("{spelling}={text}") };
        let others: &[&str] = if file.is_none() { &["--log-level", "info"] } else { &[] };
        load(file, &[&[&*flag], others].concat(), &[])
    } else if spelling.starts_with("MOQ_") {
        load(Some(""), &[], &[(spelling, text)])
    } else {
        load(Some(&format!("{spelling} = {toml}")), &[], &[])
    };
    let place = match spelling {
        "-v" | "-vv" => "--verbose".to_owned(),
        "-q" | "-qq" => "--quiet".to_owned(),
        path if !path.starts_with('-') && !path.starts_with("MOQ_") => "relay.toml:1".to_owned(),
        other => other.to_owned(),
    };
    (result.map(|loaded| (loaded.config, loaded.notes)), place)
}
