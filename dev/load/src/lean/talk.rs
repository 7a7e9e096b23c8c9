//! What a viewer says and is answered on its bidirectional streams, without waiting for either.

use std::collections::{BTreeSet, VecDeque};

use anyhow::{Result, ensure};
use bytes::{Buf, Bytes, BytesMut};
use quinn_proto::{Dir, StreamId};

use crate::wire::{self, Accept, Announcements, First, Setup, Version};

/// One viewer's side of a session.
pub(super) struct Talk {
    version: &'static Version,
    names: Vec<String>,
    /// Broadcasts that are not announced yet.
    wanted: BTreeSet<String>,
    announcements: Announcements,
    /// Streams to open, and what to say on them.
    to_say: VecDeque<Said>,
    heard: Vec<(StreamId, Heard)>,
}

/// What a stream begins with. A unidirectional one also ends with it.
pub(super) struct Said {
    pub(super) dir: Dir,
    pub(super) message: Bytes,
    /// None: there is no answer.
    topic: Option<Topic>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Topic {
    Announcements,
    Subscription,
}

/// The answers on one stream.
struct Heard {
    topic: Topic,
    messages: u64,
    partial: BytesMut,
}

impl Talk {
    /// In a version without a session stream.
    pub(super) fn new(version: &'static Version, names: Vec<String>) -> Self {
        let mut to_say = VecDeque::new();
        if version.setup == Setup::Uni {
            to_say.push_back(Said { dir: Dir::Uni, message: wire::setup(version, ""), topic: None });
        }
        let message = wire::request(version, "");
        to_say.push_back(Said { dir: Dir::Bi, message, topic: Some(Topic::Announcements) });
        Self {
            version,
            wanted: names.iter().cloned().collect(),
            names,
            announcements: Announcements::new(version),
            to_say,
            heard: Vec::new(),
        }
    }

    /// What is to be said next.
    pub(super) fn next(&self) -> Option<&Said> {
        self.to_say.front()
    }

    /// That has been said, on this stream.
    pub(super) fn said(&mut self, stream: StreamId) {
        if let Some(Said { topic: Some(topic), .. }) = self.to_say.pop_front() {
            self.heard.push((stream, Heard { topic, messages: 0, partial: BytesMut::new() }));
        }
    }

    /// Takes an answer's bytes.
    pub(super) fn hear(&mut self, stream: StreamId, data: &[u8]) -> Result<()> {
        let Some(at) = self.heard.iter().position(|(id, _)| *id == stream) else { return Ok(()) };
        self.heard[at].1.partial.extend_from_slice(data);
        while let Some((topic, first, kind, body)) = self.message(at) {
            match topic {
                Topic::Announcements => self.announced(first, kind, &body)?,
                Topic::Subscription => {
                    ensure!(first || self.version.accept == Accept::Start, "more than SUBSCRIBE_OK");
                    wire::check_reply(self.version, kind, &body)?;
                }
            }
        }
        Ok(())
    }

    /// The next whole message, what it is about, whether it is the first of its stream, and its type where it has one.
    fn message(&mut self, at: usize) -> Option<(Topic, bool, Option<u64>, Bytes)> {
        let version = self.version;
        let heard = &mut self.heard[at].1;
        let first = heard.messages == 0;
        let typed = match heard.topic {
            Topic::Announcements => version.typed_announce && !(first && version.first != First::Announcement),
            Topic::Subscription => matches!(version.accept, Accept::Preferences | Accept::Start),
        };
        let mut peek = &heard.partial[..];
        let kind = if typed { Some(version.varint.get(&mut peek)?) } else { None };
        let size = version.varint.get(&mut peek)? as usize;
        if peek.len() < size {
            return None;
        }
        let header = heard.partial.len() - peek.len();
        heard.partial.advance(header);
        heard.messages += 1;
        Some((heard.topic, first, kind, heard.partial.split_to(size).freeze()))
    }

    /// Subscribes once all broadcasts are there, as a real player does.
    fn announced(&mut self, first: bool, kind: Option<u64>, body: &[u8]) -> Result<()> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        if first && self.version.first != First::Announcement {
            for name in self.announcements.first(body)? {
                self.wanted.remove(&name);
            }
        } else if let Some(name) = self.announcements.next(kind, body)? {
            self.wanted.remove(&name);
        }
        if self.wanted.is_empty() {
            for (id, name) in self.names.iter().enumerate() {
                let message = wire::subscribe(self.version, id as u64, name, "video", 128);
                self.to_say.push_back(Said { dir: Dir::Bi, message, topic: Some(Topic::Subscription) });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ALL;

    fn stream(index: u64) -> StreamId {
        StreamId::new(quinn_proto::Side::Client, Dir::Bi, index)
    }

    /// A viewer of two broadcasts that has asked what there is, on the first stream.
    fn asking(version: &'static Version) -> Talk {
        let mut talk = Talk::new(version, vec!["a".into(), "b".into()]);
        if version.setup == Setup::Uni {
            let setup = talk.next().unwrap();
            assert_eq!((setup.dir, &setup.message), (Dir::Uni, &wire::setup(version, "")));
            talk.said(StreamId::new(quinn_proto::Side::Client, Dir::Uni, 0));
        }
        assert_eq!(talk.next().unwrap().message, wire::request(version, ""));
        talk.said(stream(0));
        talk
    }

    fn versions() -> impl Iterator<Item = &'static Version> {
        ALL.into_iter().filter(|version| !matches!(version.setup, Setup::Exchange(_)))
    }

    #[test]
    fn it_subscribes_when_all_is_announced() {
        for version in versions() {
            let mut talk = asking(version);
            let mut told = wire::first_reply(version, 1).to_vec();
            told.extend(wire::active(version, "a"));
            told.extend(wire::active(version, "b"));
            let (last, before) = told.split_last().unwrap();
            for byte in before {
                talk.hear(stream(0), &[*byte]).unwrap();
                assert!(talk.next().is_none(), "{version:?}");
            }
            talk.hear(stream(0), &[*last]).unwrap();
            for (id, name) in ["a", "b"].into_iter().enumerate() {
                assert_eq!(talk.next().unwrap().message, wire::subscribe(version, id as u64, name, "video", 128));
                talk.said(stream(1 + id as u64));
                talk.hear(stream(1 + id as u64), &wire::accept(version, 7)).unwrap();
            }
            assert!(talk.next().is_none());
        }
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        for version in versions() {
            let mut talk = asking(version);
            talk.hear(stream(0), &wire::first_reply(version, 1)).unwrap();
            // One byte more than an announcement has.
            let mut wrong = wire::active(version, "a").to_vec();
            wrong[usize::from(version.typed_announce)] += 1;
            wrong.push(0);
            assert!(talk.hear(stream(0), &wrong).is_err(), "{version:?}");
        }
    }
}
