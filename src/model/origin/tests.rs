use std::{
    cmp::Reverse,
    collections::BTreeMap,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    model::{
        cache::Limits,
        group::Batch,
        track::{Closed, Producer},
    },
    types::{Cost, Preferences},
};

const NODE: HopId = HopId(999);

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn hops(ids: &[u64]) -> Hops {
    Hops::new(ids.iter().map(|id| HopId(*id))).unwrap()
}

const fn cost(warm: u64) -> Cost {
    Cost { warm, cold: 100 }
}

fn origin() -> Arc<Origin> {
    Origin::new(NODE, Cache::new(Limits::default()))
}

/// A session that may do anything anywhere.
fn view(origin: &Arc<Origin>) -> View {
    scoped(origin, "", Scope::everything(), Scope::everything())
}

fn scoped(origin: &Arc<Origin>, root: &str, publish: Scope, subscribe: Scope) -> View {
    View::new(origin.clone(), origin.session(), path(root), publish, subscribe, false)
}

fn scope(prefix: &str) -> Scope {
    Scope::new(vec![path(prefix)])
}

/// A session that announces one path.
fn source(origin: &Arc<Origin>, at: &str, hop: u64, warm: u64) -> Publisher {
    let mut publisher = view(origin).publisher();
    publisher.announce(&path(at), hops(&[hop]), cost(warm)).unwrap();
    publisher
}

fn asked(publisher: &Publisher) -> Option<Producer> {
    match publisher.demand.with(Demand::pop)? {
        Request::Track(producer) => Some(producer),
        Request::Fetch(fetch) => panic!("unexpected {fetch:?}"),
    }
}

fn watch(view: &View, prefix: &str) -> Watcher {
    view.watch(&path(prefix), HopId::NONE, ShowsHidden(false)).unwrap()
}

/// What a watcher has heard of, as `suffix:first hop` or `suffix:gone`.
fn heard(watcher: &mut Watcher) -> Vec<String> {
    let told = |change: Change| match change.advert {
        Some(advert) => format!("{}:{}", change.suffix, advert.hops.iter().next().map_or(0, |hop| hop.0)),
        None => format!("{}:gone", change.suffix),
    };
    let mut heard: Vec<_> = watcher.snapshot().into_iter().map(told).collect();
    heard.sort();
    heard
}

fn put(producer: &Producer, sequence: u64) {
    let writer = producer.group(sequence).unwrap();
    let mut batch = Batch::default();
    batch.frame(0, 5, Bytes::new());
    batch.payload(Bytes::from_static(b"hello"));
    writer.append(&mut batch).unwrap();
    writer.finish();
}

fn closed(track: &Arc<Track>) -> Option<Closed> {
    track.look(|log| log.closed())
}

const LOST: Option<Closed> = Some(Closed::Failed(code::SESSION_CLOSED));

fn assert_nothing_left(origin: &Arc<Origin>) {
    assert!(origin.is_empty(), "{origin:#?}");
    assert_eq!(origin.cache().used(), 0);
    assert_eq!(Arc::strong_count(origin), 1);
}

#[test]
fn watchers_hear_the_complete_set_first_and_then_changes() {
    let origin = origin();
    let mut a = source(&origin, "room/a", 1, 0);
    let b = source(&origin, "room/b", 2, 0);
    let _root = source(&origin, "", 3, 0);
    let mut watcher = watch(&view(&origin), "");
    assert_eq!(heard(&mut watcher), [":3", "room/a:1", "room/b:2"]);
    assert_eq!(heard(&mut watcher), [] as [&str; 0]);
    drop(b);
    a.announce(&path("room/c"), hops(&[1]), cost(0)).unwrap();
    assert_eq!(heard(&mut watcher), ["room/b:gone", "room/c:1"]);
    a.unannounce(&path("room/a"));
    assert_eq!(heard(&mut watcher), ["room/a:gone"]);
    a.announce(&path("room/a"), hops(&[1]), cost(0)).unwrap();
    assert_eq!(heard(&mut watcher), ["room/a:1"]);
}

#[test]
fn an_empty_set_is_a_set() {
    let origin = origin();
    let mut watcher = watch(&view(&origin), "room");
    assert_eq!(heard(&mut watcher), [] as [&str; 0]);
}

#[test]
fn changes_wake_and_coalesce() {
    let origin = origin();
    let mut watcher = watch(&view(&origin), "");
    let mut cx = Context::from_waker(Waker::noop());
    assert!(watcher.poll(&mut cx).is_pending());
    let mut publisher = view(&origin).publisher();
    for warm in 0..100 {
        publisher.announce(&path("a"), hops(&[1]), cost(warm)).unwrap();
        publisher.announce(&path("b"), hops(&[1]), cost(warm)).unwrap();
        publisher.unannounce(&path("b"));
    }
    let Poll::Ready(changes) = watcher.poll(&mut cx) else { panic!("nothing heard") };
    assert_eq!(changes.len(), 2, "one for each path");
    assert_eq!(changes[0].advert, Some(Advert { hops: hops(&[1]), cost: cost(99) }));
    assert_eq!((changes[1].suffix.as_str(), &changes[1].advert), ("b", &None));
    assert!(watcher.poll(&mut cx).is_pending());
}

#[test]
fn the_same_announcement_again_is_no_change() {
    let origin = origin();
    let mut publisher = source(&origin, "a", 1, 0);
    let mut watcher = watch(&view(&origin), "");
    heard(&mut watcher);
    publisher.announce(&path("a"), hops(&[1]), cost(0)).unwrap();
    assert_eq!(heard(&mut watcher), [] as [&str; 0]);
}

#[test]
fn prefixes_end_on_segments() {
    let origin = origin();
    let _sources = ["foo", "foo/bar", "foobar", "fo", "x/foo"].map(|at| source(&origin, at, 1, 0));
    let mut watcher = watch(&view(&origin), "/foo/");
    assert_eq!(heard(&mut watcher), [":1", "bar:1"]);
    let _late = ["foobar/baz", "foo/bar/baz"].map(|at| source(&origin, at, 2, 0));
    assert_eq!(heard(&mut watcher), ["bar/baz:2"]);
}

#[test]
fn a_scope_narrower_than_the_prefix_hides_the_rest() {
    let origin = origin();
    let _sources = ["room/a/x", "room/b/x", "room/c/x"].map(|at| source(&origin, at, 1, 0));
    let allowed = Scope::new(vec![path("room/a"), path("room/c"), path("lobby")]);
    let viewer = scoped(&origin, "", Scope::none(), allowed);
    let mut watcher = watch(&viewer, "room");
    assert_eq!(heard(&mut watcher), ["a/x:1", "c/x:1"]);
    let _late = ["room/b/y", "room/c/y", "lobby/y"].map(|at| source(&origin, at, 2, 0));
    assert_eq!(heard(&mut watcher), ["c/y:2"]);
    assert_eq!(heard(&mut watch(&viewer, "elsewhere")), [] as [&str; 0]);
    assert_eq!(viewer.track(&path("room/b/x"), "t", HopId::NONE).unwrap_err(), NoTrack::NotFound);
    assert!(viewer.track(&path("room/c/x"), "t", HopId::NONE).is_ok());
}

#[test]
fn names_are_relative_to_the_root() {
    let origin = origin();
    let inside = scoped(&origin, "room", scope("room"), scope("room"));
    let mut publisher = inside.publisher();
    publisher.announce(&path("a"), hops(&[1]), cost(0)).unwrap();
    let _outside = source(&origin, "hall/a", 2, 0);
    let viewer = scoped(&origin, "room", scope("room"), scope("room"));
    assert_eq!(heard(&mut watch(&viewer, "")), ["a:1"]);
    assert_eq!(heard(&mut watch(&view(&origin), "")), ["hall/a:2", "room/a:1"]);
    assert_eq!(origin.broadcasts().len(), 2);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert_eq!(track.broadcast, path("room/a"));
    assert_eq!((inside.publishable(), inside.may_subscribe()), (vec![Path::root()], true));
}

#[test]
fn hidden_names_are_for_those_who_know_them_and_for_nodes() {
    let origin = origin();
    let _sources = ["a/.secret/b", ".stats/x", "a/b"].map(|at| source(&origin, at, 1, 0));
    let viewer = view(&origin);
    assert_eq!(heard(&mut watch(&viewer, "")), ["a/b:1"]);
    assert_eq!(heard(&mut watch(&viewer, ".stats")), ["x:1"], "only below the prefix");
    assert!(viewer.track(&path("a/.secret/b"), "t", HopId::NONE).is_ok());
    let everything = Scope::everything;
    let node = View::new(origin.clone(), origin.session(), Path::root(), everything(), everything(), true);
    assert_eq!(heard(&mut watch(&node, "")), [".stats/x:1", "a/.secret/b:1", "a/b:1"]);
}

#[test]
fn nothing_is_told_to_where_it_came_from() {
    let origin = origin();
    let session = view(&origin);
    let mut publisher = session.publisher();
    publisher.announce(&path("a"), hops(&[1]), cost(0)).unwrap();
    let mut own = watch(&session, "");
    assert_eq!(heard(&mut own), ["a:gone"], "a path without a route for it");
    assert_eq!(session.track(&path("a"), "t", HopId::NONE).unwrap_err(), NoTrack::Unroutable);
    let standby = source(&origin, "a", 2, 50);
    assert_eq!(heard(&mut own), ["a:2"], "the worse one, as the best is its own");
    assert!(session.track(&path("a"), "t", HopId::NONE).is_ok());
    assert!(asked(&standby).is_some() && asked(&publisher).is_none());
}

#[test]
fn routes_through_the_asker_are_left_out() {
    let origin = origin();
    let mut near = view(&origin).publisher();
    near.announce(&path("a"), hops(&[7, 3]), cost(0)).unwrap();
    let mut far = view(&origin).publisher();
    far.announce(&path("a"), hops(&[7, 4, 5]), cost(9)).unwrap();
    let viewer = view(&origin);
    let seen = |hop| {
        let mut watcher = viewer.watch(&Path::root(), HopId(hop), ShowsHidden(false)).unwrap();
        watcher.snapshot().first().and_then(|change| change.advert.as_ref()).map(|advert| advert.hops.len())
    };
    assert_eq!([0, 8, 3, 4, 7].map(seen), [Some(2), Some(2), Some(3), Some(2), None]);
    assert_eq!(viewer.track(&path("a"), "t", HopId(7)).unwrap_err().code(), code::UNROUTABLE);
    let detour = viewer.track(&path("a"), "t", HopId(3)).unwrap();
    let direct = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(!Arc::ptr_eq(&detour, &direct));
    assert!(Arc::ptr_eq(&detour, &viewer.track(&path("a"), "t", HopId(3)).unwrap()));
    assert!(asked(&near).is_some() && asked(&far).is_some() && asked(&far).is_none());
}

#[test]
fn loops_patterns_and_foreign_names_are_refused() {
    let origin = origin();
    let mut publisher = scoped(&origin, "", scope("mine"), Scope::none()).publisher();
    let mut announce = |at: &str, ids: &[u64]| publisher.announce(&path(at), hops(ids), cost(0));
    assert_eq!(announce("mine/a", &[1, NODE.0, 2]), Err(NotAnnounced::Loop));
    assert_eq!(announce("yours/a", &[1]), Err(NotAnnounced::NotAllowed));
    assert_eq!(announce("mine/*/a", &[1]), Err(NotAnnounced::BadPath));
    assert_eq!(announce("mine/a", &[1]), Ok(()));
    let mut watcher = watch(&view(&origin), "");
    assert_eq!(heard(&mut watcher), ["mine/a:1"]);
    assert_eq!(announce("mine/a", &[1, NODE.0]), Err(NotAnnounced::Loop), "a restart that loops");
    assert_eq!(heard(&mut watcher), ["mine/a:gone"]);
}

#[test]
fn watchers_hear_of_a_better_route_and_of_its_loss() {
    let origin = origin();
    let _first = source(&origin, "a", 1, 5);
    let mut watcher = watch(&view(&origin), "");
    heard(&mut watcher);
    let worse = source(&origin, "a", 2, 9);
    let better = source(&origin, "a", 3, 1);
    assert_eq!(heard(&mut watcher), ["a:3"]);
    drop((worse, better));
    assert_eq!(heard(&mut watcher), ["a:1"]);
}

#[test]
fn a_better_route_takes_running_tracks_over() {
    let origin = origin();
    let first = source(&origin, "a", 1, 5);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let old = asked(&first).unwrap();
    put(&old, 0);
    let _worse = source(&origin, "a", 2, 9);
    assert!(!old.is_replaced());
    let better = source(&origin, "a", 1, 1);
    let new = asked(&better).unwrap();
    assert!(old.is_replaced() && !new.is_replaced());
    put(&old, 1);
    put(&new, 2);
    assert!(old.group(3).is_err());
    drop(old);
    assert_eq!(closed(&track), None, "a source that was replaced takes nothing with it");
    assert_eq!(track.look(|log| (log.epoch(), log.latest(), log.arrivals(0).count())), (0, Some(2), 3));
    assert!(Arc::ptr_eq(&track, &viewer.track(&path("a"), "t", HopId::NONE).unwrap()), "still one track for all");
}

#[test]
fn a_route_that_gets_worse_gives_its_tracks_away() {
    let origin = origin();
    let mut first = source(&origin, "a", 1, 1);
    let second = source(&origin, "a", 2, 5);
    let _track = view(&origin).track(&path("a"), "t", HopId::NONE).unwrap();
    let old = asked(&first).unwrap();
    first.announce(&path("a"), hops(&[1]), cost(9)).unwrap();
    let standby = asked(&second).unwrap();
    assert!(old.is_replaced() && !standby.is_replaced());
    first.announce(&path("a"), hops(&[1]), cost(2)).unwrap();
    let back = asked(&first).unwrap();
    first.announce(&path("a"), hops(&[1]), cost(3)).unwrap();
    assert!(asked(&first).is_none() && !back.is_replaced(), "the same publisher at another price is the same source");
    first.announce(&path("a"), hops(&[4]), cost(3)).unwrap();
    assert!(asked(&first).is_some() && back.is_replaced(), "another publisher is not");
}

#[test]
fn a_way_in_use_is_left_for_a_dearer_one_only_when_it_is_not_used_any_more() {
    let origin = origin();
    let node = || View::new(origin.clone(), origin.session(), path(""), Scope::everything(), Scope::everything(), true);
    let way = |hop, warm, cold| {
        let mut publisher = node().publisher();
        publisher.announce(&path("a"), hops(&[1, hop]), Cost { warm, cold }).unwrap();
        publisher
    };
    let own = way(7, 5, 5);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&own).unwrap();
    let mut watcher = watch(&node(), "");
    let mut told = || watcher.snapshot().pop().and_then(|change| change.advert).map(|advert| advert.hops);
    assert_eq!(told(), Some(hops(&[1, 7])));

    let other = way(8, 1, 6);
    assert_eq!(
        (told(), producer.is_replaced()),
        (Some(hops(&[1, 7])), false),
        "each could prefer the other's for ever"
    );
    let running = track.clone();
    drop(track);
    assert!(own.tracks().retire(&running));
    assert_eq!(told(), Some(hops(&[1, 8])), "nothing is in use here, and it is over there");
    let _again = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(asked(&other).is_some() && asked(&own).is_none());
}

#[test]
fn two_nodes_that_have_dialed_each_other_tell_everything_once() {
    let origin = origin();
    let node = || View::new(origin.clone(), origin.session(), path(""), Scope::everything(), Scope::everything(), true);
    let mut accepted = node().publisher();
    accepted.announce(&path("a"), hops(&[11, 0, 7]), cost(0)).unwrap();
    let track = view(&origin).track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&accepted).unwrap();

    let mut dialed = node().next_to(Neighbour { name: None, dialed: true }).publisher();
    dialed.announce(&path("a"), hops(&[12, 0, 7]), cost(0)).unwrap();
    assert!(!producer.is_replaced() && asked(&dialed).is_none(), "what runs goes on where it is");
    let other = view(&origin).track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(Arc::ptr_eq(&track, &other), "for whoever comes now, too");
    accepted.unannounce(&path("a"));
    assert!(asked(&dialed).is_some(), "the other one is the standby");
}

#[test]
fn the_loss_of_the_only_session_fails_its_tracks() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let taken = viewer.track(&path("a"), "taken", HopId::NONE).unwrap();
    let producer = asked(&publisher).unwrap();
    let queued = viewer.track(&path("a"), "queued", HopId::NONE).unwrap();
    drop(publisher);
    assert_eq!((closed(&taken), closed(&queued)), (LOST, LOST));
    assert_eq!(viewer.track(&path("a"), "taken", HopId::NONE).unwrap_err(), NoTrack::NotFound);
    drop((producer, taken, queued, viewer));
    assert_nothing_left(&origin);
}

#[test]
fn a_standby_takes_over_when_the_session_is_lost() {
    let origin = origin();
    let first = source(&origin, "a", 1, 0);
    let standby = source(&origin, "a", 2, 5);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let old = asked(&first).unwrap();
    put(&old, 7);
    let open = old.group(8).unwrap();
    let queued = viewer.track(&path("a"), "queued", HopId::NONE).unwrap();
    assert!(asked(&standby).is_none());
    drop(first);
    let mut new = [asked(&standby).unwrap(), asked(&standby).unwrap()];
    new.sort_by_key(|producer| producer.track().name.clone());
    let [queued_again, new] = new;
    assert!(Arc::ptr_eq(new.track(), &track) && Arc::ptr_eq(queued_again.track(), &queued));
    drop((old, open));
    assert_eq!((closed(&track), closed(&queued)), (None, None));
    put(&new, 9);
    assert_eq!(track.look(|log| (log.epoch(), log.latest())), (0, Some(9)));
    new.finish();
    assert_eq!(closed(&track), Some(Closed::Ended));
    drop((standby, new, queued_again, track, queued, viewer));
    assert_nothing_left(&origin);
}

#[test]
fn unannounced_tracks_run_on() {
    let origin = origin();
    let mut publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&publisher).unwrap();
    publisher.unannounce(&path("a"));
    assert_eq!((closed(&track), producer.is_replaced()), (None, false));
    put(&producer, 0);
    assert_eq!(viewer.track(&path("a"), "t", HopId::NONE).unwrap_err(), NoTrack::NotFound);
    assert!(!viewer.ask(&track, 3, 0), "no source is there to ask");
    assert!(origin.is_empty());
    publisher.announce(&path("a"), hops(&[1]), cost(0)).unwrap();
    let new = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let again = asked(&publisher).unwrap();
    assert!(!Arc::ptr_eq(&track, &new) && Arc::ptr_eq(again.track(), &new), "what begins again is another broadcast");
    put(&producer, 1);
    assert_eq!((closed(&track), track.look(|log| log.latest()), new.look(|log| log.latest())), (None, Some(1), None));
}

#[test]
fn unannounced_tracks_end_with_their_session() {
    let origin = origin();
    let mut publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&publisher).unwrap();
    put(&producer, 0);
    publisher.unannounce(&path("a"));
    drop(publisher);
    drop(producer);
    assert_eq!(closed(&track), LOST);
    drop((track, viewer));
    assert_nothing_left(&origin);
}

#[test]
fn two_viewers_share_one_request() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let (one, two) = (view(&origin), view(&origin));
    let first = one.track(&path("a"), "t", HopId::NONE).unwrap();
    let second = two.track(&path("a"), "t", HopId(5)).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let producer = asked(&publisher).unwrap();
    assert!(asked(&publisher).is_none());
    let wish = |priority| first.subscribe(Preferences { priority, ..Default::default() });
    let merged = || producer.wanted().watch().look(|wanted| wanted.merged(None).map(|wish| wish.priority));
    assert_eq!(merged(), None, "an interest asks for no groups");
    let (low, high) = (wish(3), wish(9));
    assert_eq!(merged(), Some(9));
    drop(high);
    assert_eq!(merged(), Some(3));
    low.change(Preferences { priority: 4, ..Default::default() });
    assert_eq!(merged(), Some(4));
    let _other = one.track(&path("a"), "other", HopId::NONE).unwrap();
    assert!(asked(&publisher).is_some());
}

#[test]
fn a_viewer_that_comes_back_keeps_the_track() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let (viewer, tracks) = (view(&origin), publisher.tracks());
    let interest = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&publisher).unwrap();
    assert!(!tracks.retire(producer.track()), "somebody is there");
    drop(interest);
    let back = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(!tracks.retire(producer.track()) && Arc::ptr_eq(&back, producer.track()));
    let subscription = back.subscribe(Preferences::default());
    drop(back);
    assert!(!tracks.retire(producer.track()), "a subscription is an interest");
    drop(subscription);
    assert!(tracks.retire(producer.track()));
    let anew = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(!Arc::ptr_eq(&anew, producer.track()));
    drop(producer);
    assert_eq!(closed(&anew), None, "the old source's end is not the new track's");
    assert!(asked(&publisher).is_some());
}

#[test]
fn a_track_that_has_ended_is_asked_for_anew() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let ask = || viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let ends: [fn(Producer); 3] = [|producer| producer.abort(code::NOT_FOUND), |producer| producer.finish(), drop];
    for end in ends {
        let track = ask();
        assert_eq!(closed(&track), None);
        end(asked(&publisher).unwrap());
        assert!(closed(&track).is_some());
    }
    drop((publisher, viewer));
    assert_nothing_left(&origin);
}

#[test]
fn the_longest_announced_prefix_serves_a_path() {
    let origin = origin();
    let room = source(&origin, "room", 1, 0);
    let deep = source(&origin, "room/a/b", 2, 9);
    let viewer = view(&origin);
    let ask = |at: &str| viewer.track(&path(at), "t", HopId::NONE);
    let name = |producer: Option<Producer>| producer.map(|producer| producer.track().broadcast.to_string());
    let _tracks = ["room/a/b", "room/a/b/c", "room/a", "room", "room/x/y"].map(|at| ask(at).unwrap());
    assert_eq!([(); 2].map(|()| name(asked(&deep)).unwrap()), ["room/a/b", "room/a/b/c"], "the whole name goes on");
    assert_eq!([(); 3].map(|()| name(asked(&room)).unwrap()), ["room/a", "room", "room/x/y"]);
    assert_eq!(ask("roommate").unwrap_err(), NoTrack::NotFound);
    assert_eq!(ask("").unwrap_err().code(), code::NOT_FOUND);
}

#[test]
fn a_path_that_gets_its_own_route_leaves_running_tracks_alone() {
    let origin = origin();
    let room = source(&origin, "room", 1, 0);
    let viewer = view(&origin);
    let track = viewer.track(&path("room/a"), "t", HopId::NONE).unwrap();
    let producer = asked(&room).unwrap();
    let exact = source(&origin, "room/a", 2, 0);
    assert!(!producer.is_replaced());
    assert!(viewer.ask(&track, 3, 7), "its source is still the one to ask");
    let Some(Request::Fetch(fetch)) = room.demand.with(Demand::pop) else { panic!("not asked") };
    assert_eq!((fetch.sequence, fetch.priority, Arc::ptr_eq(&fetch.interest, &track)), (3, 7, true));
    drop(fetch);
    drop((track, viewer, exact));
    assert!(room.tracks().retire(producer.track()));
    drop((room, producer));
    assert_nothing_left(&origin);
}

#[test]
fn a_fetch_that_nobody_took_up_leaves_with_the_session() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(viewer.ask(&track, 3, 7));
    drop((track, publisher, viewer));
    assert_nothing_left(&origin);
}

fn fetches(publisher: &Publisher) -> Vec<Fetch> {
    let taken = std::iter::from_fn(|| publisher.demand.with(Demand::pop));
    let fetch = |request| match request {
        Request::Fetch(fetch) => Some(fetch),
        Request::Track(_) => None,
    };
    taken.filter_map(fetch).collect()
}

#[test]
fn viewers_that_fetch_one_group_share_the_request_and_its_answer() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&publisher).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let ask = || Box::pin(viewer.fetch(&track, 3, 0));
    let mut both = [ask(), ask()];
    assert!(both.iter_mut().all(|fetch| fetch.as_mut().poll(&mut cx).is_pending()));
    assert_eq!(fetches(&publisher).len(), 1);
    producer.missing(3, code::NOT_FOUND);
    assert_eq!(both.each_mut().map(|fetch| fetch.as_mut().poll(&mut cx)), [Poll::Ready(Err(code::NOT_FOUND)); 2]);
    let mut again = ask();
    assert!(again.as_mut().poll(&mut cx).is_pending());
    assert_eq!(fetches(&publisher).len(), 1, "it may be there by now");
    producer.fetched(3).unwrap().finish();
    assert_eq!(again.as_mut().poll(&mut cx), Poll::Ready(Ok(0)));
    assert_eq!(ask().as_mut().poll(&mut cx), Poll::Ready(Ok(0)), "from the cache");
    assert!(fetches(&publisher).is_empty());
}

#[test]
fn a_fetch_does_not_wait_for_a_source_that_is_lost() {
    let origin = origin();
    let first = source(&origin, "a", 1, 0);
    let standby = source(&origin, "a", 2, 5);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&first).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut fetch = Box::pin(viewer.fetch(&track, 3, 0));
    assert!(fetch.as_mut().poll(&mut cx).is_pending());
    drop((first, producer));
    assert_eq!(fetch.as_mut().poll(&mut cx), Poll::Ready(Err(code::SESSION_CLOSED)));
    let _new = asked(&standby).unwrap();
    let mut again = Box::pin(viewer.fetch(&track, 3, 0));
    assert!(again.as_mut().poll(&mut cx).is_pending());
    assert_eq!(fetches(&standby).len(), 1, "the standby is asked for it");
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_another_way_is_waited_for_waits_too() {
    let origin = origin();
    let node = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&node).unwrap();
    let tracks = node.tracks();
    let mut waiting = Box::pin(tracks.try_another(&producer));
    assert!(futures::poll!(&mut waiting).is_pending());
    let joined = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    assert!(Arc::ptr_eq(&track, &joined) && asked(&node).is_none());
    drop(node);
    assert!(futures::poll!(&mut waiting).is_pending(), "the way that led nowhere is not missed");

    let other = source(&origin, "a", 2, 0);
    waiting.await;
    assert!(producer.is_replaced() && asked(&other).is_some());
    drop((other, track, joined, producer, viewer, tracks));
    assert_nothing_left(&origin);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_track_that_waited_in_vain() {
    let origin = origin();
    for forgotten in [false, true] {
        let node = source(&origin, "a", 1, 0);
        let viewer = view(&origin);
        let mut track = Some(viewer.track(&path("a"), "t", HopId::NONE).unwrap());
        let producer = asked(&node).unwrap();
        let tracks = node.tracks();
        if forgotten {
            track.take();
        }
        let before = Instant::now();
        tracks.try_another(&producer).await;
        assert_eq!(before.elapsed() < ON_THE_WAY, forgotten);
        assert!(!producer.is_replaced());
        drop((node, track, producer, viewer, tracks));
        assert_nothing_left(&origin);
    }
}

#[test]
fn memory_returns_with_the_last_handle() {
    let origin = origin();
    let publisher = source(&origin, "a", 1, 0);
    let viewer = view(&origin);
    let mut watcher = watch(&viewer, "x/y/z");
    let track = viewer.track(&path("a"), "t", HopId::NONE).unwrap();
    let producer = asked(&publisher).unwrap();
    (0..100).for_each(|sequence| put(&producer, sequence));
    let open = producer.group(100).unwrap();
    assert!(origin.cache().used() > 0 && !origin.is_empty());
    assert_eq!(heard(&mut watcher), [] as [&str; 0]);
    drop((watcher, publisher, producer, viewer));
    assert_eq!(track.look(|log| log.arrivals(0).count()), 101, "who holds the track still reads it");
    drop(track);
    drop(open);
    assert_nothing_left(&origin);
}

#[derive(Clone, Debug)]
enum Op {
    Announce {
        session: usize,
        path: usize,
        publisher: u64,
        relay: u64,
        warm: u64,
    },
    Unannounce {
        session: usize,
        path: usize,
    },
    /// The session ends and another takes its place.
    Reconnect {
        session: usize,
    },
    Watch {
        session: usize,
        path: usize,
        hop: u64,
    },
    Look {
        watcher: usize,
    },
    Leave {
        watcher: usize,
    },
    Track {
        session: usize,
        path: usize,
    },
    Forget {
        interest: usize,
    },
    /// A session takes a request up and writes a group.
    Serve {
        session: usize,
    },
    EndTrack {
        producer: usize,
        how: usize,
    },
}

const PATHS: [&str; 7] = ["", "a", "a/b", "a/b/c", "ab", "a/.h", "b/c"];
const SESSIONS: usize = 4;

fn op() -> impl Strategy<Value = Op> {
    let (session, at, some) = (0..SESSIONS, 0..PATHS.len(), 0..usize::MAX);
    prop_oneof![
        6 => (session.clone(), at.clone(), 0..4u64, 10..13u64, 0..3u64)
            .prop_map(|(session, path, publisher, relay, warm)| Op::Announce { session, path, publisher, relay, warm }),
        3 => (session.clone(), at.clone()).prop_map(|(session, path)| Op::Unannounce { session, path }),
        1 => session.clone().prop_map(|session| Op::Reconnect { session }),
        2 => (session.clone(), at.clone(), 9..13u64).prop_map(|(session, path, hop)| Op::Watch { session, path, hop }),
        3 => some.clone().prop_map(|watcher| Op::Look { watcher }),
        1 => some.clone().prop_map(|watcher| Op::Leave { watcher }),
        3 => (session.clone(), at).prop_map(|(session, path)| Op::Track { session, path }),
        2 => some.clone().prop_map(|interest| Op::Forget { interest }),
        3 => session.prop_map(|session| Op::Serve { session }),
        2 => (some, 0..4usize).prop_map(|(producer, how)| Op::EndTrack { producer, how }),
    ]
}

/// A session, and what it should be announcing.
struct Peer {
    view: View,
    publisher: Publisher,
}

struct NaiveRoute {
    session: SessionId,
    hops: Hops,
    cost: Cost,
    since: u64,
}

/// The slow readable version: every route there is.
#[derive(Default)]
struct Naive {
    routes: BTreeMap<Path, Vec<NaiveRoute>>,
    clock: u64,
}

impl Naive {
    fn announce(&mut self, path: &Path, session: SessionId, hops: Hops, cost: Cost) {
        self.clock += 1;
        let mut since = self.clock;
        let routes = self.routes.entry(path.clone()).or_default();
        if let Some(at) = routes.iter().position(|route| route.session == session) {
            let old = routes.remove(at);
            let unchanged = old.hops == hops && old.cost == cost;
            if unchanged || (hops.publisher().is_some() && old.hops.publisher() == hops.publisher()) {
                since = old.since;
            }
        }
        routes.push(NaiveRoute { session, hops, cost, since });
    }

    fn withdraw(&mut self, session: SessionId, path: Option<&Path>) {
        self.routes.retain(|at, routes| {
            routes.retain(|route| route.session != session || path.is_some_and(|path| path != at));
            !routes.is_empty()
        });
    }

    fn best(&self, path: &Path, asker: Option<Asker>) -> Option<&NaiveRoute> {
        let leads_back = |route: &NaiveRoute| {
            asker.is_some_and(|asker| route.session == asker.session || route.hops.contains(asker.hop))
        };
        let routes = self.routes.get(path)?.iter().filter(|route| !leads_back(route));
        let rank =
            |route: &&NaiveRoute| (route.hops.is_anonymous(), route.cost, route.hops.len(), Reverse(route.since));
        routes.min_by_key(rank)
    }

    /// What a watcher should have heard of.
    fn seen(&self, prefix: &Path, asker: Asker) -> BTreeMap<Path, Advert> {
        let told = self.routes.keys().filter_map(|path| {
            let suffix = path.strip_prefix(prefix).filter(|suffix| !suffix.is_hidden())?;
            let route = self.best(path, Some(asker))?;
            Some((suffix, Advert { hops: route.hops.clone(), cost: route.cost }))
        });
        told.collect()
    }

    fn track(&self, path: &Path, asker: Asker) -> Option<NoTrack> {
        let above = |path: &Path| path.split_last().map(|(parent, _)| parent);
        let at = std::iter::successors(Some(path.clone()), above).find(|path| self.routes.contains_key(path));
        match at {
            None => Some(NoTrack::NotFound),
            Some(at) if self.best(&at, Some(asker)).is_none() => Some(NoTrack::Unroutable),
            Some(_) => None,
        }
    }
}

/// A watcher and everything it was told so far.
struct Seen {
    watcher: Watcher,
    prefix: Path,
    asker: Asker,
    told: BTreeMap<Path, Advert>,
}

impl Seen {
    fn look(&mut self) {
        for change in self.watcher.snapshot() {
            match change.advert {
                Some(advert) => self.told.insert(change.suffix, advert),
                None => self.told.remove(&change.suffix),
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn everybody_sees_what_is_announced_and_nothing_is_left(ops in prop::collection::vec(op(), 1..150)) {
        let origin = origin();
        let connect = || {
            let view = view(&origin);
            Peer { publisher: view.publisher(), view }
        };
        let mut peers: Vec<_> = (0..SESSIONS).map(|_| connect()).collect();
        let mut naive = Naive::default();
        let mut watchers = Vec::<Seen>::new();
        let mut interests = Vec::new();
        let mut producers = Vec::<Producer>::new();
        for op in ops {
            match op {
                Op::Announce { session, path: at, publisher, relay, warm } => {
                    let (at, hops) = (path(PATHS[at]), hops(&[publisher, relay]));
                    prop_assert_eq!(peers[session].publisher.announce(&at, hops.clone(), cost(warm)), Ok(()));
                    naive.announce(&at, peers[session].view.session(), hops, cost(warm));
                }
                Op::Unannounce { session, path: at } => {
                    peers[session].publisher.unannounce(&path(PATHS[at]));
                    naive.withdraw(peers[session].view.session(), Some(&path(PATHS[at])));
                }
                Op::Reconnect { session } => {
                    naive.withdraw(peers[session].view.session(), None);
                    peers[session] = connect();
                }
                Op::Watch { session, path: at, hop } => {
                    let (view, prefix, hop) = (&peers[session].view, path(PATHS[at]), HopId(hop));
                    let asker = Asker { session: view.session(), hop, only_local: false };
                    watchers.push(Seen { watcher: view.watch(&prefix, hop, ShowsHidden(false)).unwrap(), prefix, asker, told: BTreeMap::new() });
                }
                Op::Look { watcher } if !watchers.is_empty() => {
                    let at = watcher % watchers.len();
                    watchers[at].look();
                    prop_assert_eq!(&watchers[at].told, &naive.seen(&watchers[at].prefix, watchers[at].asker));
                }
                Op::Leave { watcher } if !watchers.is_empty() => drop(watchers.swap_remove(watcher % watchers.len())),
                Op::Track { session, path: at } => {
                    let (view, at) = (&peers[session].view, path(PATHS[at]));
                    let asker = Asker { session: view.session(), hop: HopId::NONE, only_local: false };
                    match view.track(&at, "t", HopId::NONE) {
                        Ok(interest) => {
                            prop_assert_eq!(naive.track(&at, asker), None);
                            prop_assert_eq!(closed(&interest), None, "nobody is given a dead track");
                            interests.push(interest);
                        }
                        Err(refusal) => prop_assert_eq!(naive.track(&at, asker), Some(refusal)),
                    }
                }
                Op::Forget { interest } if !interests.is_empty() => drop(interests.swap_remove(interest % interests.len())),
                Op::Serve { session } => {
                    if let Some(producer) = asked(&peers[session].publisher) {
                        let next = producer.track().look(|log| log.latest().map_or(0, |latest| latest + 1));
                        let written = producer.group(next).map(|writer| {
                            let mut batch = Batch::default();
                            batch.frame(0, 1, Bytes::from_static(b"x"));
                            writer.append(&mut batch)
                        });
                        prop_assert!(producer.is_replaced() || written.is_ok());
                        producers.push(producer);
                    }
                }
                Op::EndTrack { producer, how } if !producers.is_empty() => {
                    let producer = producers.swap_remove(producer % producers.len());
                    let (current, track) = (!producer.is_replaced(), producer.track().clone());
                    let before = closed(&track);
                    match how {
                        0 => producer.finish(),
                        1 => producer.abort(code::NOT_FOUND),
                        2 => drop(peers[0].publisher.tracks().retire(&track)),
                        _ => {}
                    }
                    drop(producer);
                    prop_assert_eq!(closed(&track).is_some(), current || before.is_some());
                }
                _ => {}
            }
            let mut announced: Vec<_> = origin.broadcasts().into_iter().map(|(path, _)| path).collect();
            announced.sort();
            prop_assert_eq!(announced, naive.routes.keys().cloned().collect::<Vec<_>>());
        }
        for seen in &mut watchers {
            seen.look();
            prop_assert_eq!(&seen.told, &naive.seen(&seen.prefix, seen.asker));
        }
        drop((watchers, peers, interests));
        drop(producers);
        assert_nothing_left(&origin);
    }
}
