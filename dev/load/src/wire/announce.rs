//! Who publishes what.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;

use super::{
    First, Version,
    decoder::Decoder,
    encoder::Encoder,
    version::{Hops, Request},
};

/// The hop id that this publisher goes by.
const HOP: u64 = 0x5eed;

/// ANNOUNCE_REQUEST, stream type included.
pub(crate) fn request(version: &Version, prefix: &str) -> Bytes {
    let mut body = Encoder::new(version.varint);
    body.text(prefix);
    match version.request {
        Request::Nothing => &mut body,
        Request::ExcludeHop => body.int(0), // none
        Request::Hidden => body.byte(1),
    };
    body.framed(&[0x1])
}

/// The prefix that an ANNOUNCE_REQUEST names.
pub(crate) fn requested_prefix(version: &Version, body: &[u8]) -> Result<String> {
    let mut body = Decoder::new(version.varint, body);
    let prefix = body.text()?;
    match version.request {
        Request::Nothing => {}
        Request::ExcludeHop => drop(body.int()?),
        Request::Hidden => drop(body.flag()?),
    }
    body.end()?;
    Ok(prefix)
}

/// What comes ahead of the announcements, of which `count` follow.
pub(crate) fn first_reply(version: &Version, count: u64) -> Bytes {
    let mut body = Encoder::new(version.varint);
    match version.first {
        First::Init => body.int(0).framed(&[]),
        First::Announcement => Bytes::new(),
        First::Ok => body.int(HOP).int(count).framed(&[]),
    }
}

/// A broadcast that is there from now on.
pub(crate) fn active(version: &Version, suffix: &str) -> Bytes {
    let mut body = Encoder::new(version.varint);
    if !version.typed_announce {
        body.byte(1);
    }
    if version.bases {
        body.int(0).int(0); // no path base, nothing kept of it
    }
    body.text(suffix);
    if version.bases {
        body.int(0); // no hop base
    }
    match version.hops {
        Hops::None => &mut body,
        Hops::Count => body.int(1),
        Hops::SenderLast => body.int(1).int(HOP),
        Hops::SenderApart => body.int(0),
    };
    if version.bases {
        body.int(0); // nothing kept of it
    }
    if version.typed_announce {
        body.int(0).int(0); // warm and cold cost
        return body.framed(&[0x0]); // START
    }
    body.framed(&[])
}

/// A broadcast that is there no more. `id` is its place among all that became active on this stream.
pub(crate) fn ended(version: &Version, suffix: &str, id: u64) -> Bytes {
    let mut body = Encoder::new(version.varint);
    if version.typed_announce {
        return body.int(id).framed(&[0x1]); // END
    }
    body.byte(0).text(suffix);
    match version.hops {
        Hops::None => &mut body,
        Hops::Count | Hops::SenderLast | Hops::SenderApart => body.int(0),
    };
    body.framed(&[])
}

/// What one announcement tells.
pub(crate) enum News {
    There(String),
    Gone(String),
    /// Another way to what is there already, or something unknown.
    Other,
}

/// What an announce stream has told so far.
pub(crate) struct Announcements {
    version: &'static Version,
    /// By announce id; None once it is retired. Stays empty where announcements have no ids.
    routes: Vec<Option<Route>>,
}

#[derive(Default)]
struct Route {
    suffix: String,
    /// Ids, oldest first; empty where there are none.
    hops: Vec<u64>,
}

impl Announcements {
    pub(crate) fn new(version: &'static Version) -> Self {
        Self { version, routes: Vec::new() }
    }

    /// The suffixes that are in the first reply already.
    pub(crate) fn first(&self, body: &[u8]) -> Result<Vec<String>> {
        let mut body = Decoder::new(self.version.varint, body);
        let mut suffixes = Vec::new();
        match self.version.first {
            First::Init => {
                for _ in 0..body.int()? {
                    suffixes.push(body.text()?);
                }
            }
            First::Announcement => bail!("no reply comes ahead of the announcements"),
            First::Ok => drop((body.int()?, body.int()?)),
        }
        body.end()?;
        Ok(suffixes)
    }

    /// The suffix that an announcement makes available, if it does. `kind` is its type where announcements are typed.
    pub(crate) fn next(&mut self, kind: Option<u64>, body: &[u8]) -> Result<Option<String>> {
        Ok(match self.news(kind, body)? {
            News::There(suffix) => Some(suffix),
            News::Gone(_) | News::Other => None,
        })
    }

    /// What an announcement tells. `kind` is as above.
    pub(crate) fn news(&mut self, kind: Option<u64>, body: &[u8]) -> Result<News> {
        let mut body = Decoder::new(self.version.varint, body);
        let news = match kind {
            None => self.untyped(&mut body)?,
            Some(0) => News::There(self.start(&mut body)?),
            Some(1) => {
                let route = body.int()?;
                self.route(route)?.take().map_or(News::Other, |route| News::Gone(route.suffix))
            }
            Some(2) => {
                self.restart(&mut body)?;
                News::Other
            }
            Some(_) => return Ok(News::Other), // to be skipped
        };
        body.end()?;
        Ok(news)
    }

    fn untyped(&self, body: &mut Decoder<'_>) -> Result<News> {
        let active = match body.byte()? {
            0 => false,
            1 => true,
            2 if self.version.hops == Hops::SenderApart => true,
            other => bail!("no announcement has the status {other}"),
        };
        let suffix = body.text()?;
        match self.version.hops {
            Hops::None => {}
            Hops::Count => drop(body.int()?),
            Hops::SenderLast | Hops::SenderApart => drop(ids(body)?),
        }
        Ok(if active { News::There(suffix) } else { News::Gone(suffix) })
    }

    fn start(&mut self, body: &mut Decoder<'_>) -> Result<String> {
        let mut suffix = String::new();
        if self.version.bases {
            let (base, keep) = (self.base(body.int()?)?, body.int()? as usize);
            let segments = || base.suffix.split('/').filter(|s| !s.is_empty());
            ensure!(keep <= segments().count(), "{keep} segments are to be kept of {:?}", base.suffix);
            suffix = segments().take(keep).collect::<Vec<_>>().join("/");
        }
        let rest = body.text()?;
        if !suffix.is_empty() && !rest.is_empty() {
            suffix.push('/');
        }
        suffix += &rest;
        let hops = self.hops(body)?;
        self.routes.push(Some(Route { suffix: suffix.clone(), hops }));
        Ok(suffix)
    }

    fn restart(&mut self, body: &mut Decoder<'_>) -> Result<()> {
        let id = body.int()?;
        let hops = self.hops(body)?;
        self.route(id)?.as_mut().context("a retired broadcast restarts")?.hops = hops;
        Ok(())
    }

    /// Hops and costs of a START or RESTART.
    fn hops(&self, body: &mut Decoder<'_>) -> Result<Vec<u64>> {
        let hops = if self.version.bases {
            let base = self.base(body.int()?)?;
            let mut hops = ids(body)?;
            let keep = body.int()? as usize;
            let dropped = base.hops.len().checked_sub(keep).context("more hops are to be kept than there are")?;
            hops.extend(&base.hops[dropped..]);
            hops
        } else {
            ids(body)?
        };
        let (_warm, _cold) = (body.int()?, body.int()?);
        Ok(hops)
    }

    /// The announcement so many back from the next one, or an empty one for 0.
    fn base(&self, back: u64) -> Result<&Route> {
        const NONE: &Route = &Route { suffix: String::new(), hops: Vec::new() };
        if back == 0 {
            return Ok(NONE);
        }
        let route = self.routes.len().checked_sub(back as usize).and_then(|id| self.routes[id].as_ref());
        route.with_context(|| format!("no announcement to refer to {back} back"))
    }

    fn route(&mut self, id: u64) -> Result<&mut Option<Route>> {
        let route = self.routes.get_mut(id as usize).filter(|r| r.is_some());
        route.with_context(|| format!("no broadcast has the announce id {id}"))
    }
}

fn ids(body: &mut Decoder<'_>) -> Result<Vec<u64>> {
    (0..body.int()?).map(|_| body.int()).collect()
}
