//! The traits of [`crate::lines`] on the library of one line.

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use url::Url;

use super::dial::dial;
use super::moq_lite::{
    self, BroadcastConsumer, Error, GroupConsumer, GroupProducer, OriginConsumer, OriginProducer, TrackConsumer,
    TrackProducer,
};
use crate::lines::{self, Announced, Frames, Groups, Source};

pub async fn publisher(url: Url) -> Result<Box<dyn lines::Publisher>> {
    let origin = OriginProducer::default();
    let session = Session(Some(dial(url, Some(origin.consume()), None).await?));
    Ok(Box::new(Publisher { origin, session }))
}

pub async fn viewer(url: Url) -> Result<Box<dyn lines::Viewer>> {
    let origin = OriginProducer::default();
    let announced = origin.consume();
    let session = Session(Some(dial(url, None, Some(origin)).await?));
    Ok(Box::new(Viewer { announced, _session: session }))
}

/// How to close a session. Its type differs between lines.
pub type Close = Box<dyn FnOnce(Error) + Send + Sync>;

/// A session, closed when dropped: the oldest lines would go on without an owner.
struct Session(Option<Close>);

impl Session {
    fn close(&mut self, err: Error) {
        if let Some(close) = self.0.take() {
            close(err);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close(Error::Cancel);
    }
}

struct Publisher {
    origin: OriginProducer,
    session: Session,
}

impl lines::Publisher for Publisher {
    fn announce(&self, path: &str, track: &str) -> Announced {
        let mut broadcast = super::broadcast();
        self.origin.publish_broadcast(path, broadcast.consume());
        let (wants, wanted) = mpsc::channel::<Box<dyn lines::Track>>(1);
        let name = track.to_owned();
        // Tracks are made when asked for: one made beforehand never becomes unused in the oldest lines.
        let serving = tokio::spawn(async move {
            while let Some(track) = broadcast.requested_track().await {
                if track.info.name == name {
                    let _ = wants.send(Box::new(Track(track))).await;
                } else {
                    track.abort(Error::NotFound);
                }
            }
        });
        Announced { wanted, serving: serving.abort_handle() }
    }

    fn die(mut self: Box<Self>) {
        self.session.close(Error::App(7));
    }
}

struct Track(TrackProducer);

#[async_trait]
impl lines::Track for Track {
    fn open(&mut self, sequence: u64) -> Result<Box<dyn lines::Group>> {
        let group = self.0.create_group(moq_lite::Group { sequence });
        Ok(Box::new(Group(group.ok_or(Error::Old)?)))
    }

    async fn unused(&self) {
        self.0.unused().await;
    }

    fn finish(self: Box<Self>) {
        self.0.close();
    }
}

struct Group(GroupProducer);

impl lines::Group for Group {
    fn write(&mut self, frame: Bytes) {
        self.0.write_frame(frame);
    }

    fn finish(self: Box<Self>) {
        self.0.close();
    }

    fn abort(self: Box<Self>) {
        self.0.abort(Error::App(5));
    }
}

struct Viewer {
    announced: OriginConsumer,
    _session: Session,
}

#[async_trait]
impl lines::Viewer for Viewer {
    async fn announced(&mut self) -> Option<(String, Option<Box<dyn Source>>)> {
        let (path, broadcast) = self.announced.announced().await?;
        Some((path.to_string(), broadcast.map(|broadcast| Box::new(broadcast) as Box<dyn Source>)))
    }
}

impl Source for BroadcastConsumer {
    fn subscribe(&self, track: &str) -> Box<dyn Groups> {
        Box::new(self.subscribe_track(&moq_lite::Track::new(track)))
    }
}

#[async_trait]
impl Groups for TrackConsumer {
    async fn next(&mut self) -> Result<Option<(u64, Box<dyn Frames>)>> {
        let group = self.next_group().await?;
        Ok(group.map(|group| (group.info.sequence, Box::new(group) as Box<dyn Frames>)))
    }
}

#[async_trait]
impl Frames for GroupConsumer {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.read_frame().await?)
    }
}
