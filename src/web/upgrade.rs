//! A WebSocket: a request at any path becomes a session with that path, by the same rules as at any other door.
//!
//! HTTP/1.1 upgrades the connection (RFC 6455), HTTP/2 one of its streams (RFC 8441).

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::{
    ext::Protocol,
    upgrade::{OnUpgrade, on},
};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;

use super::{problem::Problem, server::Remote};
use crate::{
    auth::{self, Grant},
    transport::{
        Incoming,
        websocket::{Io, Subprotocol, WebSocket, accept_key},
    },
};

/// Where sessions go that begin as HTTP requests.
#[derive(Clone, Debug)]
pub struct Door {
    /// Takes them; when it is full, too many are beginning at once.
    pub knock: mpsc::Sender<Knock>,
    /// What is spoken, the favourite first.
    pub protocols: Vec<&'static str>,
    /// Whether SETUP can choose, for clients that name nothing.
    pub in_band: bool,
}

/// Somebody who wants in.
pub struct Knock {
    /// The way in.
    pub incoming: Incoming,
    /// What it asked for and was granted, where the door could tell already.
    pub admitted: Option<(auth::Request, Grant)>,
}

impl From<Incoming> for Knock {
    fn from(incoming: Incoming) -> Self {
        Self { incoming, admitted: None }
    }
}

/// Takes requests for a WebSocket, whatever page their path may be, and passes on the others.
pub(super) async fn intercept(State(state): State<super::State>, request: Request, next: Next) -> Response {
    let remote = request.extensions().get::<Remote>().cloned();
    match (&state.door, remote, Asked::of(&request)) {
        (Some(door), Some(remote), Some(asked)) => match asked {
            Ok(asked) => accept(&state, door, remote, asked, request).await.into_response(),
            Err(problem) => problem.into_response(),
        },
        _ => next.run(request).await,
    }
}

async fn accept(
    state: &super::State,
    door: &Door,
    remote: Remote,
    answer: Asked,
    mut request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let subprotocol = Subprotocol::choose(&offered(headers)?, &door.protocols, door.in_band).ok_or_else(|| {
        Problem::BadRequest(format!("no subprotocol in common: {}", door.protocols.join(", ")).into())
    })?;
    let response = answer.response(&subprotocol)?;
    // Whoever may not come in is told by a status.
    let admitted = state.knock(request.uri(), headers, &remote).await?;
    let upgrading = Box::pin(upgraded(on(&mut request)));
    let incoming = Incoming::WebSocket(WebSocket { subprotocol, upgrading }, remote.address);
    match door.knock.try_send(Knock { incoming, admitted: Some(admitted) }) {
        Ok(()) => Ok(response),
        Err(full) => {
            if let Some((request, grant)) = full.into_inner().admitted {
                state.leave(request, grant, "too many sessions are starting");
            }
            Err(Problem::Busy)
        }
    }
}

async fn upgraded(upgrade: OnUpgrade) -> std::io::Result<Box<dyn Io>> {
    let upgraded = upgrade.await.map_err(std::io::Error::other)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// A request for a WebSocket, and how it is answered.
enum Asked {
    /// On HTTP/1.1, with what the answer has to prove.
    Connection { accept: String },
    /// On HTTP/2.
    Stream,
}

impl Asked {
    /// `None` for any other request, an error for one that gets it wrong.
    fn of(request: &Request) -> Option<Result<Self, Problem>> {
        let headers = request.headers();
        let asked = if request.version() == Version::HTTP_2 {
            request.extensions().get::<Protocol>().filter(|protocol| protocol.as_str() == "websocket")?;
            Self::Stream
        } else {
            let is_upgrade = request.version() == Version::HTTP_11 && lists(headers, header::UPGRADE, "websocket");
            if request.method() != Method::GET || !is_upgrade {
                return None;
            }
            // RFC 6455 §4.2.1: 16 bytes in base64.
            let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
            let key = key.filter(|_| lists(headers, header::CONNECTION, "upgrade"));
            let Some(key) = key else {
                return Some(Err(Problem::BadRequest("not a WebSocket handshake: RFC 6455 section 4.2.1".into())));
            };
            Self::Connection { accept: accept_key(key.as_bytes()) }
        };
        match headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) {
            Some(b"13") => Some(Ok(asked)),
            _ => Some(Err(Problem::WebSocketVersion)),
        }
    }

    fn response(self, subprotocol: &Subprotocol) -> Result<Response, Problem> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        let text =
            |text: &str| HeaderValue::from_str(text).map_err(|_| Problem::BadRequest("not a subprotocol".into()));
        if let Some(name) = subprotocol.header() {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, text(name)?);
        }
        if let Self::Connection { accept } = self {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, text(&accept)?);
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        Ok(response)
    }
}

/// Whether a header that is a list has this item, in any case.
fn lists(headers: &HeaderMap, name: HeaderName, item: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(item))
}

/// The subprotocols a client offers, in its order.
fn offered(headers: &HeaderMap) -> Result<Vec<&str>, Problem> {
    let mut offered = Vec::new();
    for value in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| Problem::BadRequest("subprotocols are ASCII".into()))?;
        offered.extend(value.split(',').map(str::trim).filter(|name| !name.is_empty()));
    }
    Ok(offered)
}
