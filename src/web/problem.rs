//! Why a request gets something other than what it asked for, and the status that says so.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{auth::Reason, types::PathError};

/// An answer that is not the page.
#[derive(Debug)]
pub(super) enum Problem {
    /// The request makes no sense.
    BadRequest(Cow<'static, str>),
    /// Whoever asks may not.
    Refused(Reason),
    /// It is not there, and waiting would not help.
    NotFound(&'static str),
    /// A WebSocket of another version than the one there is.
    WebSocketVersion,
    /// Too much is beginning at once; later it may work.
    Busy,
    /// It may be there, but did not come in time.
    TimedOut(&'static str),
}

impl From<PathError> for Problem {
    fn from(error: PathError) -> Self {
        Self::BadRequest(error.to_string().into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
            Self::Refused(reason) => refused(reason),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what}\n")).into_response(),
            // RFC 6455 §4.2.2: the refusal names the version that would do.
            Self::WebSocketVersion => {
                let version = [(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))];
                (StatusCode::BAD_REQUEST, version, "only version 13 of WebSocket is spoken\n").into_response()
            }
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many sessions are starting\n").into_response(),
            Self::TimedOut(what) => (StatusCode::GATEWAY_TIMEOUT, format!("{what}\n")).into_response(),
        }
    }
}

fn refused(reason: Reason) -> Response {
    let body = format!("{}: {reason}\n", reason.name());
    if reason.is_temporary() {
        // Whom this server asks has not answered.
        return (StatusCode::BAD_GATEWAY, body).into_response();
    }
    // RFC 9110 §15.5.2: a 401 names a scheme that could help.
    let scheme = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
    (StatusCode::UNAUTHORIZED, scheme, body).into_response()
}
