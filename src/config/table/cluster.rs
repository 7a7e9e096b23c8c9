//! `[cluster]`: other nodes.

use crate::{
    cluster::config::{Config, Peer, is_url},
    config::{
        key::{Key, Kind, Status},
        secret,
        value::{Reason, Value},
    },
    types::Path,
};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "cluster.connect",
        kind: Kind::List,
        placeholder: "NODE",
        help: "Node to stay connected with: a host, or a URL that may hold cost=N and jwt=TOKEN",
        default: "none",
        set: |config, value| {
            config.cluster.connect = peers(value)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.connect_api",
        placeholder: "FILE or URL",
        help: "File or URL with a JSON list of more such nodes",
        default: "none",
        set: |config, value| {
            config.cluster.connect_api = value.optional()?.map(str::to_owned);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.root",
        placeholder: "NODE",
        help: "Node that tells of all others",
        default: "none",
        set: |config, value| {
            config.cluster.root = value.optional()?.map(name).transpose()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.node",
        aliases: &["cluster.advertise"],
        placeholder: "NODE",
        help: "How others reach this node: a host or a URL",
        default: "none",
        set: |config, value| {
            config.cluster.node = value.optional()?.map(name).transpose()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.token",
        placeholder: "FILE",
        help: "Token to show to other nodes, a file",
        default: "none",
        set: |config, value| {
            config.cluster.token = value.optional()?.map(Into::into);
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.prefix",
        placeholder: "PREFIX",
        help: "Where nodes announce themselves",
        default: "internal/origins",
        set: |config, value| {
            config.cluster.prefix = Path::parse(value.text()?)?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.mesh",
        kind: Kind::Mixed,
        placeholder: "BOOL",
        help: "Connect with every node that is announced",
        default: "false",
        set: |config, value| {
            config.cluster.mesh = value.switch()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.id",
        kind: Kind::Number,
        placeholder: "ID",
        help: "Number of this node in lists of hops",
        default: "made up at start",
        set: |config, value| {
            config.cluster.id = match value.number()? {
                id @ 1..=Config::MAX_ID => Some(id),
                _ => return Err("expected a number from 1 to 2^62 - 1".into()),
            };
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.max_hops",
        kind: Kind::Number,
        placeholder: "COUNT",
        help: "Nodes that a broadcast may pass at most",
        default: "32",
        set: |config, value| {
            config.cluster.max_hops = match u8::try_from(value.number()?) {
                Ok(hops @ 1..=Config::MAX_HOPS) => hops,
                _ => return Err("expected a number from 1 to 32".into()),
            };
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.linger",
        placeholder: "TIME",
        help: "How long a broadcast survives the loss of the way to it",
        default: "5s",
        set: |config, value| {
            config.cluster.linger = value.duration()?;
            Ok(())
        },
        ..Key::BASE
    },
    Key {
        name: "cluster.tier",
        placeholder: "NAME",
        help: "What sessions of other nodes are counted under",
        default: "none",
        status: Status::Pending,
        set: |config, value| {
            value.text()?.clone_into(&mut config.cluster.tier);
            Ok(())
        },
        ..Key::BASE
    },
];

fn name(text: &str) -> Result<String, Reason> {
    Ok(Peer::parse(text)?.url)
}

/// Nodes as text, or as tables that say more.
fn peers(value: &Value) -> Result<Vec<Peer>, Reason> {
    let items = match value {
        Value::List(items) => &items[..],
        one => std::slice::from_ref(one),
    };
    let mut peers: Vec<Peer> = Vec::new();
    // An empty text is no node.
    for item in items.iter().filter(|item| !matches!(item, Value::Text(text) if text.is_empty())) {
        let peer = match item {
            Value::Table(entries) => described(entries)?,
            other => Peer::parse(other.text()?)?,
        };
        match peers.iter().find(|known| known.url == peer.url) {
            Some(known) if *known != peer => {
                return Err(format!("{} is there twice, and differs", secret::hide(&peer.url)).into());
            }
            Some(_) => {}
            None => peers.push(peer),
        }
    }
    Ok(peers)
}

fn described(entries: &[(String, Value)]) -> Result<Peer, Reason> {
    let find = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    if let Some((unknown, _)) = entries.iter().find(|(key, _)| !["url", "cost", "egress", "token"].contains(&&**key)) {
        return Err(format!("unknown key {unknown}: expected url, cost, egress or token").into());
    }
    let mut peer = Peer::parse(find("url").ok_or("url is missing")?.text()?)?;
    let (cost, egress) = (find("cost").map(Value::number).transpose()?, find("egress").map(Value::number).transpose()?);
    if cost.is_some() && egress.is_some() && cost != egress {
        return Err("cost and egress must be the same".into());
    }
    if let Some(cost) = cost.or(egress)
        && peer.cost.replace(cost).is_some()
    {
        return Err("the cost is in the URL too".into());
    }
    if let Some(token) = find("token") {
        if is_url(&peer.url) && peer.url.contains("jwt=") {
            return Err("the token is in the URL too".into());
        }
        peer.token = Some(token.text()?.to_owned());
    }
    Ok(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_as_tables() {
        let text = |text: &str| Value::Text(text.to_owned());
        let table = |entries: &[(&str, Value)]| {
            peers(&Value::Table(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()))
        };
        let url = ("url", text("https://a/"));
        let full =
            table(&[url.clone(), ("cost", Value::Number(3)), ("egress", Value::Number(3)), ("token", text("t"))]);
        assert_eq!(full, Ok(vec![Peer { url: "https://a/".into(), cost: Some(3), token: Some("t".into()) }]));
        assert!(table(&[("cost", Value::Number(3))]).is_err());
        assert!(table(&[url.clone(), ("price", Value::Number(3))]).is_err());
        assert!(table(&[url, ("cost", Value::Number(3)), ("egress", Value::Number(4))]).is_err());
        assert!(table(&[("url", text("https://a/?cost=1")), ("cost", Value::Number(1))]).is_err());
        assert!(table(&[("url", text("https://a/?jwt=1")), ("token", text("t"))]).is_err());
        assert!(peers(&Value::List(vec![text("a"), text("a"), text("")])).is_ok_and(|peers| peers.len() == 1));
        assert!(peers(&Value::List(vec![text("https://a/?cost=1"), text("https://a/?cost=2")])).is_err());
    }
}
