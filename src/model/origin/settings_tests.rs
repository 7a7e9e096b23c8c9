//! What an origin may be told to do otherwise, and what a session may not exceed.

use super::*;
use crate::{model::cache::Limits, types::Cost};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn view(settings: Settings) -> View {
    let origin = Origin::with(HopId(999), Cache::new(Limits::default()), settings);
    let (session, all) = (origin.session(), Scope::everything());
    View::new(origin, session, Path::root(), all.clone(), all, false)
}

fn announce(publisher: &mut Publisher, at: &str, hops: u64) -> Result<(), NotAnnounced> {
    publisher.announce(&path(at), Hops::new((1..=hops).map(HopId)).unwrap(), Cost::FREE)
}

#[tokio::test]
async fn a_session_announces_so_many_and_no_more() {
    let mut publisher = view(Settings::default()).publisher().limited(2);
    assert_eq!(announce(&mut publisher, "a", 1), Ok(()));
    assert_eq!(announce(&mut publisher, "b", 1), Ok(()));
    assert_eq!(announce(&mut publisher, "c", 1), Err(NotAnnounced::TooMany));
    assert_eq!(announce(&mut publisher, "b", 2), Ok(()), "a new way to the same name is none more");
    publisher.unannounce(&path("a"));
    assert_eq!(announce(&mut publisher, "c", 1), Ok(()));
}

#[tokio::test]
async fn ways_that_are_too_long_are_not_taken() {
    let mut publisher = view(Settings { max_hops: 3, ..Settings::default() }).publisher();
    assert_eq!(announce(&mut publisher, "a", 3), Ok(()));
    assert_eq!(announce(&mut publisher, "a", 4), Err(NotAnnounced::TooFar));
    assert!(publisher.view.origin.broadcasts().is_empty(), "and what was there is gone");
}

#[tokio::test(start_paused = true)]
async fn what_is_torn_away_waits_and_what_says_goodbye_does_not() {
    let view = view(Settings { linger: Duration::from_secs(5), ..Settings::default() });
    let origin = view.origin().clone();
    let (mut torn, mut gone) = (view.publisher(), view.publisher());
    announce(&mut torn, "torn", 1).unwrap();
    announce(&mut gone, "gone", 1).unwrap();
    gone.goodbye();
    drop((torn, gone));
    let names = || origin.broadcasts().into_iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(), ["torn"]);
    tokio::time::advance(Duration::from_secs(4)).await;
    origin.sweep();
    assert_eq!(names(), ["torn"]);
    tokio::time::advance(Duration::from_secs(1)).await;
    origin.sweep();
    assert!(origin.is_empty());
}
