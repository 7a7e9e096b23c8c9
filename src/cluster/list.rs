//! A list of nodes in a file or at a URL, looked at again and again (`cluster.connect_api`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use tokio::{sync::mpsc, time::sleep};
use tracing::{info, warn};

use super::{
    config::Peer,
    peers::{Source, Wanted},
};
use crate::{
    files::{Missing, Watched},
    http::{Answer, Client},
};

/// How often a file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often a URL is asked, unless its answer says how long it is good. Half: twice the questions; double: nodes come
/// and go that much later.
const ASK: Duration = Duration::from_secs(10);
/// The longest that an answer may say.
const STALE: Duration = Duration::from_secs(3600);

/// An entry as it stands in a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Url(String),
    Described(Described),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    url: String,
    cost: Option<u64>,
    egress: Option<u64>,
    token: Option<String>,
}

/// Where the list is.
pub(super) enum Place {
    File(PathBuf),
    Url(String),
}

impl Place {
    /// A URL of HTTP, or else a file, as a path or a URL. `node` is who asks, which a server may want to know.
    pub(super) fn new(text: &str, node: Option<&str>) -> Self {
        if let Ok(mut url) = url::Url::parse(text) {
            if ["http", "https"].contains(&url.scheme()) {
                if let Some(node) = node {
                    url.query_pairs_mut().append_pair("node", node);
                }
                return Self::Url(url.into());
            }
            if let (true, Ok(path)) = (url.scheme() == "file", url.to_file_path()) {
                return Self::File(path);
            }
        }
        Self::File(text.into())
    }

    /// Tells of every list that can be read. One that cannot leaves the last one in force.
    pub(super) async fn follow(self, client: Client, tell: mpsc::Sender<(Source, Vec<Wanted>)>) {
        let mut told: Option<Vec<Wanted>> = None;
        let mut complained = None;
        let mut file: Option<Arc<Watched<Vec<Wanted>>>> = None;
        loop {
            let (found, again) = match &self {
                Self::File(path) => (look(path, &mut file).await, LOOK),
                Self::Url(url) => ask(&client, url).await,
            };
            match found {
                Ok(list) => {
                    complained = None;
                    if told.as_ref() != Some(&list) {
                        info!(nodes = list.len(), "the list of nodes has changed");
                        told = Some(list.clone());
                        if tell.send((Source::Listed, list)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(reason) if complained.as_ref() != Some(&reason) => {
                    warn!(reason, "no new list of nodes: the last one stays in force");
                    complained = Some(reason);
                }
                Err(_) => {}
            }
            sleep(again).await;
        }
    }
}

async fn look(path: &Path, file: &mut Option<Arc<Watched<Vec<Wanted>>>>) -> Result<Vec<Wanted>, String> {
    let file = match file {
        Some(file) => file.clone(),
        None => {
            let path = path.to_owned();
            let opened = tokio::task::spawn_blocking(move || Watched::open(&path, parse, Missing::Keep)).await;
            let opened = opened.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
            file.insert(Arc::new(opened)).clone()
        }
    };
    file.get().await.map(|list| (*list).clone()).map_err(|error| error.to_string())
}

async fn ask(client: &Client, url: &str) -> (Result<Vec<Wanted>, String>, Duration) {
    let answer = client.get(url).await.and_then(Answer::success);
    let again = answer.as_ref().ok().and_then(|answer| answer.max_age).unwrap_or(ASK).clamp(LOOK, STALE);
    let list = answer.map_err(|error| error.to_string()).and_then(|answer| {
        let text = String::from_utf8(answer.body).map_err(|_| "the answer is not text".to_owned())?;
        parse(&text)
    });
    (list, again)
}

/// Reads a list: one bad entry spoils it, as half a list would tear links down.
fn parse(text: &str) -> Result<Vec<Wanted>, String> {
    let entries: Vec<Entry> =
        serde_json::from_str(text).map_err(|_| "expected a JSON array of URLs, or of objects with a url".to_owned())?;
    let mut list: Vec<Wanted> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let wrong = |reason: &dyn std::fmt::Display| format!("entry {index}: {reason}");
        let peer = entry.peer().map_err(|reason| wrong(&reason))?;
        let wanted = Wanted::new(&peer).map_err(|reason| wrong(&reason))?;
        match list.iter().find(|known| known.name == wanted.name) {
            Some(known) if *known != wanted => return Err(wrong(&"the same node is there twice, and differs")),
            Some(_) => {}
            None => list.push(wanted),
        }
    }
    Ok(list)
}

impl Entry {
    fn peer(self) -> Result<Peer, String> {
        match self {
            Self::Url(url) => Peer::parse(&url).map_err(|error| error.to_string()),
            Self::Described(Described { url, cost, egress, token }) => {
                let peer = Peer::parse(&url).map_err(|error| error.to_string())?;
                let (has_price, has_token) = (peer.cost.is_some(), peer.url.contains("jwt="));
                if cost.zip(egress).is_some_and(|(cost, egress)| cost != egress) {
                    return Err("cost and egress must be the same".to_owned());
                }
                if has_price && cost.or(egress).is_some() {
                    return Err("the cost is in the URL too".to_owned());
                }
                if has_token && token.is_some() {
                    return Err("the token is in the URL too".to_owned());
                }
                Ok(Peer { cost: peer.cost.or(cost).or(egress), token, ..peer })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let names = |text: &str| {
            let list = parse(text)?;
            Ok::<_, String>(list.iter().map(|it| (it.name.to_string(), it.price)).collect::<Vec<_>>())
        };
        let list = r#"["https://a/?cost=1", "b.example", {"url": "https://c/", "cost": 3, "token": "t"}, "b.example"]"#;
        let expected = [("https://a/", Some(1)), ("https://b.example/", None), ("https://c/", Some(3))];
        assert_eq!(names(list).unwrap(), expected.map(|(name, price)| (name.to_owned(), price)));
        assert_eq!(names("[]").unwrap(), []);
        for (bad, reason) in [
            ("{}", "expected a JSON array"),
            (r#"["https://a/", "ftp://b/"]"#, "entry 1: no node can be dialed by ftp"),
            (r#"["https://a/?cost=1", "a"]"#, "entry 1: the same node is there twice"),
            (r#"[{"url": "https://a/", "price": 3}]"#, "expected a JSON array"),
            (r#"[{"url": "https://a/?cost=1", "cost": 1}]"#, "the cost is in the URL too"),
            (r#"[{"url": "https://a/?jwt=x", "token": "y"}]"#, "the token is in the URL too"),
        ] {
            assert!(names(bad).unwrap_err().contains(reason), "{bad}: {:?}", names(bad));
        }
    }

    #[test]
    fn a_server_is_told_who_asks() {
        let url = |text, node| match Place::new(text, node) {
            Place::Url(url) => url,
            Place::File(path) => path.display().to_string(),
        };
        assert_eq!(url("https://api/peers?x=1", Some("https://me/")), "https://api/peers?x=1&node=https%3A%2F%2Fme%2F");
        assert_eq!(url("/etc/peers.json", Some("me")), "/etc/peers.json");
        assert_eq!(url("file:///etc/peers.json", None), "/etc/peers.json");
    }
}
