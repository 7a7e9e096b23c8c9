//! `/health`: this process answers.

/// For load balancers and `docker run --health-cmd`.
pub(super) async fn page() -> &'static str {
    "ok\n"
}
