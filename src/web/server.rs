//! Serving pages on a socket: accepting, deadlines, and a calm end.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use axum::{BoxError, Router};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tracing::debug;

use crate::{
    transport::{
        socket,
        tls::{Acceptor, Http2},
    },
    types::Certificate,
};

/// How long a connection may take to its first complete request head, from accept, and to each one after that. Half:
/// somebody on a bad line is cut off while typing into `nc`. Double: silent connections cost twice the memory.
const HEAD: Duration = Duration::from_secs(10);

/// The largest request head. Half: a long token in the URL beside a browser's headers is refused. Double: so much more
/// for a stranger to fill.
const HEAD_BYTES: usize = 16 << 10;

/// What one connection can take on HTTP/2: requests at a time, and requests taken back before they were answered.
const HTTP2_REQUESTS: u32 = 32;
const HTTP2_RESETS: usize = 20;
/// After this much silence on HTTP/2 the other end is asked whether it is there, and given as long to say so.
const HTTP2_PING: Duration = Duration::from_secs(10);

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) address: SocketAddr,
    /// Who it is by TLS.
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Serves until `shutdown`, then waits for the requests in flight. Dropping it ends them at once.
pub async fn serve(listener: TcpListener, tls: Option<Acceptor>, router: Router, shutdown: impl Future<Output = ()>) {
    serve_within(HEAD, listener, tls, router, shutdown).await;
}

async fn serve_within(
    head: Duration,
    listener: TcpListener,
    tls: Option<Acceptor>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, remote) = socket::accept("HTTP", || listener.accept()) => {
                let client = Client {
                    deadline: Instant::now() + head,
                    head,
                    remote: Remote { address: remote, certificate: None },
                    router: router.clone(),
                    graceful: graceful.watcher(),
                };
                connections.spawn(client.serve(stream, tls.clone()));
            }
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
    while connections.join_next().await.is_some() {}
}

/// One client. What it does wrong, such as speaking TLS where there is none, is between it and the HTTP library, which
/// answers 400.
struct Client {
    /// When its first request must be there.
    deadline: Instant,
    /// How long each further one may take.
    head: Duration,
    remote: Remote,
    router: Router,
    graceful: Watcher,
}

impl Client {
    async fn serve(mut self, stream: TcpStream, tls: Option<Acceptor>) {
        // Without it, small chunks of a group that is still growing would wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            return debug!(%error, "HTTP connection lost");
        }
        match tls {
            None => self.http(stream, Http2(false)).await,
            Some(tls) => match timeout_at(self.deadline, tls.accept(stream)).await {
                Ok(Ok((stream, http2, certificate))) => {
                    self.remote.certificate = certificate.map(Arc::new);
                    self.http(stream, http2).await;
                }
                Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
                Err(_) => debug!("TLS handshake timed out"),
            },
        }
    }

    async fn http(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, http2: Http2) {
        let Self { deadline, head, remote, router, graceful } = self;
        let asked = AtomicBool::new(false);
        let pages = TowerToHyperService::new(router);
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            asked.store(true, Relaxed);
            request.extensions_mut().insert(remote.clone());
            pages.call(request)
        });
        // What is spoken is settled, so that nothing waits for a guess.
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = if http2.0 { builder.http2_only() } else { builder.http1_only() };
        builder.http1().timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .enable_connect_protocol()
            .max_concurrent_streams(HTTP2_REQUESTS)
            .max_header_list_size(HEAD_BYTES as u32)
            .max_pending_accept_reset_streams(HTTP2_RESETS)
            .keep_alive_interval(HTTP2_PING)
            .keep_alive_timeout(HTTP2_PING);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let result = within(deadline, &asked, pin!(graceful.watch(connection))).await;
        if let Err(error) = result {
            debug!(%error, "HTTP connection failed");
        }
    }
}

/// Drives a connection to its end. The library's own deadlines are about heads; this one is about every way to hold a
/// connection before the first.
async fn within(
    deadline: Instant,
    asked: &AtomicBool,
    mut connection: Pin<&mut impl Future<Output = Result<(), BoxError>>>,
) -> Result<(), BoxError> {
    let first = poll_fn(|cx| match connection.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if asked.load(Relaxed) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match timeout_at(deadline, first).await {
        Err(_) => {
            debug!("HTTP connection without a request closed");
            Ok(())
        }
        Ok(Some(result)) => result,
        Ok(None) => connection.await,
    }
}

#[cfg(test)]
mod tests;
