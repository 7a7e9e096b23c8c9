//! `/certificate.sha256`: what clients pin that were given an `http://` address.

use axum::extract::State;

use super::problem::Problem;

/// The hex digits alone: old JavaScript clients choke on a newline. In the clear and for anybody, as it is shown to
/// everybody in the handshake anyway.
pub(super) async fn page(State(state): State<super::State>) -> Result<String, Problem> {
    let fingerprint = state.identity.fingerprint().ok_or(Problem::NotFound("no certificate"))?;
    Ok(fingerprint.to_string())
}
