//! Whether somebody who has come is a node of the cluster, and what it is called.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    auth::{Grant, Reason, Refusal, Request},
    cluster::{Cluster, Member, OVERLAP},
    session::Session,
    wire::lite::close,
};

/// A node that has dialed this one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    /// What it wants to be announced as.
    pub(super) register: Option<String>,
    /// What it is called.
    pub(super) name: Option<String>,
    /// Whether everything may cross its link both ways.
    pub(super) is_full: bool,
}

/// Waits until the link of a node that has dialed this one is not needed any more, and ends its session.
pub(super) async fn follow(member: &Member, session: &Session, handover: Duration) -> &'static str {
    let moved = async {
        session.sent_away().await;
        member.leaving();
        let carrying = async {
            sleep(OVERLAP).await;
            session.deserted().await;
        };
        tokio::select! {
            () = carrying => {}
            () = sleep(handover) => {}
        }
        session.close(close::NONE, "moved");
        "moved"
    };
    let superseded = async {
        if member.superseded().await {
            session.abandon("the node was restarted");
            return "restarted";
        }
        session.demote();
        std::future::pending().await
    };
    tokio::select! {
        how = moved => how,
        how = superseded => how,
    }
}

/// A node, an ordinary peer, or somebody who wants to be a node and must not.
pub(super) fn node(cluster: &Arc<Cluster>, request: &Request, grant: &Grant) -> Result<Option<Node>, Refusal> {
    let register = request.parameter("register");
    let name = register.clone().or_else(|| request.parameter("node"));
    let is_full = grant.root.is_empty() && grant.publish.allows(&grant.root) && grant.subscribe.allows(&grant.root);
    let is_node = grant.cluster || (name.is_some() && is_full && cluster.trusts_everybody());
    if register.is_some() && !is_node {
        return Err(Refusal::new(Reason::NotANode));
    }
    if let (Some(register), Some(certificate)) = (&register, &request.certificate)
        && !is_named(register, &certificate.name)
    {
        let story = format!("{register:?} is not {:?}", certificate.name);
        return Err(Refusal::new(Reason::NotANode).because(story));
    }
    Ok(is_node.then_some(Node { register, name, is_full }))
}

/// Whether a node may call itself that with a certificate of this name: only a port may be added.
fn is_named(node: &str, certificate: &str) -> bool {
    node.strip_prefix(certificate)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_one_host() {
        assert!(is_named("a.example", "a.example") && is_named("a.example:4443", "a.example"));
        for other in ["b.example", "a.example.org", "a.example:", "a.example:x", "a.example:70000", ""] {
            assert!(!is_named(other, "a.example"), "{other}");
        }
    }
}
