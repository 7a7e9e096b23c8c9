//! A publisher, fifty viewers and the relay between them in one thread, for `dev/instructions` to count what a frame takes:
//! from the bytes on the publisher's stream to those on each viewer's, with every layer but the network.
//!
//! It takes one argument, how many frames to pass on in whole groups, and says how many were delivered.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{End, VIDEO, World, dialect, latest};

const VIEWERS: usize = 50;
const PAYLOAD: [u8; 1000] = [7; 1000];
/// Frames per group.
const GROUP: u64 = 60;

fn main() {
    // Cargo adds a flag of its own.
    let frames = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(GROUP);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    println!("{} frames delivered", runtime.block_on(pass_on(frames)));
}

/// Each frame is at every viewer before the next one is sent.
async fn pass_on(frames: u64) -> u64 {
    let dialect = dialect("05");
    let world = World::new();
    let publisher = world.publisher(dialect, &["room/a"]).await;
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        let viewer = world.peer(dialect);
        let subscription = viewer.subscribe("room/a", VIDEO, latest()).await;
        viewers.push((viewer, subscription));
    }
    let mut feed = publisher.feed().await;
    let mut delivered = 0;
    for sequence in 0..frames / GROUP {
        let mut out = feed.group(sequence).await;
        let mut groups = Vec::new();
        for frame in 0..GROUP {
            out.frame(1000 * (sequence * GROUP + frame), &PAYLOAD).await;
            if frame == 0 {
                for (_, subscription) in &mut viewers {
                    groups.push(subscription.group().await);
                }
            }
            for group in &mut groups {
                assert_eq!(group.frame().await.expect("a frame").payload.len(), PAYLOAD.len());
                delivered += 1;
            }
        }
        out.finish();
        for group in &mut groups {
            assert_eq!(group.frame().await.unwrap_err(), End::Fin);
        }
    }
    delivered
}
