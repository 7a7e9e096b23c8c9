//! Whether somebody who has come is a node of the cluster, and what it is called.

use std::sync::Arc;

use crate::{
    auth::{Grant, Reason, Refusal, Request},
    cluster::Cluster,
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
