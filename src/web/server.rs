//! Serving pages on a socket: accepting, deadlines, and a calm end.

use std::{
    future::poll_fn,
    io,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use axum::Router;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tracing::{debug, warn};

/// How long a connection may take to its first complete request head, from accept, and to each one after that. Half:
/// somebody on a bad line is cut off while typing into `nc`. Double: silent connections cost twice the memory.
const HEAD: Duration = Duration::from_secs(10);

/// The largest request head. Half: a long token in the URL beside a browser's headers is refused. Double: so much more
/// for a stranger to fill.
const HEAD_BYTES: usize = 16 << 10;

/// Between attempts to accept when the process has no file descriptor left. Half or double: just as many log lines.
const PAUSE: Duration = Duration::from_millis(250);

/// Serves until `shutdown`, then waits for the requests in flight. Dropping it ends them at once.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_within(HEAD, listener, router, shutdown).await;
}

async fn serve_within(head: Duration, listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(&listener) => {
                connections.spawn(connection(stream, router.clone(), head, graceful.watcher()));
            }
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    graceful.shutdown().await;
    while connections.join_next().await.is_some() {}
}

/// The next connection, however long it takes.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut failing = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // accept(2): errors of the connection that was to be accepted.
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "cannot accept HTTP connections, trying on");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One client. What it does wrong, such as speaking TLS, is between it and the HTTP library, which answers 400.
async fn connection(stream: TcpStream, router: Router, head: Duration, graceful: Watcher) {
    let deadline = Instant::now() + head;
    // Without it, small chunks of a group that is still growing would wait for each other.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "HTTP connection lost");
        return;
    }
    let asked = AtomicBool::new(false);
    let pages = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        asked.store(true, Relaxed);
        pages.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_header_size(HEAD_BYTES);
    let mut connection = pin!(graceful.watch(builder.serve_connection(TokioIo::new(stream), service)));

    // The library's own deadline is about heads; this one is about every way to hold a connection before the first.
    let first = timeout_at(
        deadline,
        poll_fn(|cx| match connection.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if asked.load(Relaxed) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }),
    );
    let result = match first.await {
        Err(_) => return debug!("HTTP connection without a request closed"),
        Ok(Some(result)) => result,
        Ok(None) => connection.await,
    };
    if let Err(error) = result {
        debug!(%error, "HTTP connection failed");
    }
}

#[cfg(test)]
mod tests;
