//! From the name of a node to its addresses. A name may stand for several nodes, as that of a headless service does.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use super::{
    dial::{self, Dials},
    peers::Wanted,
};
use crate::transport::{Target, target::Door};

/// How to look up a place; tests have names of their own.
pub type Lookup = Arc<dyn Fn(&Target) -> BoxFuture<'static, Result<Vec<SocketAddr>, String>> + Send + Sync>;

/// How long a look-up may take. Half: slow resolvers seem dead; double: a dead one is noticed that much later.
const DEADLINE: Duration = Duration::from_secs(5);
/// How often a name is looked up again. Half: resolvers are asked twice as often; double: nodes that come and go are
/// noticed that much later.
const AGAIN: Duration = Duration::from_secs(60);
/// The same while nothing was found.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps a link with each node that a name stands for, until dropped, or until this node stops and the links are over.
pub(super) async fn follow(dials: Arc<Dials>, wanted: Wanted) {
    let mut nodes = HashMap::<Option<SocketAddr>, Node>::new();
    let mut tasks = JoinSet::new();
    let lost = Arc::new(Notify::new());
    loop {
        let found = tokio::select! {
            found = timeout(DEADLINE, (dials.lookup)(&wanted.target)) => found,
            () = dials.stopped() => break,
        };
        let found = found.unwrap_or_else(|_| Err("too slow".to_owned()));
        let next = match found {
            Ok(addresses) => {
                let now = groups(addresses);
                nodes.retain(|key, node| {
                    let stays = now.contains_key(key);
                    if !stays {
                        node.task.abort();
                        dials.links.wanted(&wanted.name, *key, false);
                    }
                    stays
                });
                for (key, addresses) in now {
                    let node = nodes.entry(key).or_insert_with(|| {
                        let (sender, receiver) = watch::channel(Vec::new());
                        let linking = dial::stay_linked(dials.clone(), wanted.clone(), key, receiver, lost.clone());
                        Node { addresses: sender, task: tasks.spawn(linking) }
                    });
                    node.addresses.send_if_modified(|old| std::mem::replace(old, addresses.clone()) != addresses);
                }
                AGAIN
            }
            // Whoever was found before is still dialed there.
            Err(reason) => {
                dials.links.failed(&wanted.name, None, format!("{}: {reason}", wanted.target.host()));
                RETRY
            }
        };
        tokio::select! {
            () = sleep(next) => {}
            // The node may have moved; never more often than it is dialed.
            () = lost.notified() => {}
            // A link that is not to be had again.
            Some(_) = tasks.join_next(), if dials.config.dial.once && !tasks.is_empty() => return,
            () = dials.stopped() => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

struct Node {
    addresses: watch::Sender<Vec<SocketAddr>>,
    task: AbortHandle,
}

/// The addresses of each node. Two addresses of one family are two nodes, told apart by them; an address of either
/// family is two ways to one node.
fn groups(addresses: Vec<SocketAddr>) -> HashMap<Option<SocketAddr>, Vec<SocketAddr>> {
    let mut addresses = addresses;
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    let family = |v6: bool| addresses.iter().copied().filter(move |address| address.is_ipv6() == v6);
    if family(false).count() <= 1 && family(true).count() <= 1 {
        return [(None, addresses)].into();
    }
    // The family that the resolver prefers: every node has an address in it.
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let most = if family(preferred).count() > 1 { preferred } else { !preferred };
    family(most).map(|address| (Some(address), vec![address])).collect()
}

/// As the system does it.
pub(super) fn system(target: &Target) -> BoxFuture<'static, Result<Vec<SocketAddr>, String>> {
    let place = (target.door() != Door::Unix).then(|| (target.host().to_owned(), target.port()));
    Box::pin(async {
        let Some(place) = place else { return Ok(Vec::new()) };
        let found: Vec<_> = tokio::net::lookup_host(place).await.map_err(|error| error.to_string())?.collect();
        if found.is_empty() { Err("no address".to_owned()) } else { Ok(found) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_family_are_nodes() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (v4, v6) = (address("10.0.0.1:1"), address("[fd00::1]:1"));
        assert_eq!(groups(vec![v6, v4]), [(None, vec![v6, v4])].into());
        assert_eq!(groups(vec![v4]), [(None, vec![v4])].into());
        let (a, b, c) = (v4, address("10.0.0.2:1"), address("10.0.0.3:1"));
        let three = [(Some(a), vec![a]), (Some(b), vec![b]), (Some(c), vec![c])].into();
        assert_eq!(groups(vec![a, b, c, b]), three);
        let v6_2 = address("[fd00::2]:1");
        assert_eq!(groups(vec![v6, v6_2, a, b]), [(Some(v6), vec![v6]), (Some(v6_2), vec![v6_2])].into());
        assert_eq!(groups(vec![v6, a, b]), [(Some(a), vec![a]), (Some(b), vec![b])].into());
        assert_eq!(groups(vec![]), [(None, vec![])].into());
    }
}
