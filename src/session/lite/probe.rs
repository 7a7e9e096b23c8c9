//! PROBE: reports of what the way to the peer can carry, for publishers and players that adapt to it.
//!
//! The first report is sent at once, later ones when the figures have moved: by a quarter after a second, by anything at
//! all after ten.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    session::{Bi, Shared, typed},
    wire::lite::probe::Probe,
};

/// Between looks. Halved, adaptive peers hear of a change sooner and every probe stream costs twice the wake-ups; doubled,
/// a player that could climb waits longer.
const LOOK: Duration = Duration::from_secs(1);

/// The age at which a report is renewed if it differs at all.
const STALE: Duration = Duration::from_secs(10);

/// The share of a figure by which it must have moved right after a report.
const NOTABLE: f64 = 0.25;

/// Reports until either side ends the stream.
pub(super) async fn serve(session: &Shared, (send, reader): &mut Bi) {
    let Some(codec) = &session.dialect.probe else { return };
    let mut last: Option<(Probe, Instant)> = None;
    let work = async {
        loop {
            let link = session.conn.link();
            let now = Probe { bitrate: link.bitrate, rtt: link.rtt };
            if last.is_none_or(|(told, at)| is_news(&told, &now, at.elapsed())) {
                if typed::send(send, session.form(), None, codec, &now).await.is_err() {
                    return;
                }
                last = Some((now, Instant::now()));
            }
            sleep(LOOK).await;
        }
    };
    // What the peer says on the stream has no meaning in any version that is spoken.
    tokio::select! {
        () = work => {}
        () = reader.ended() => send.finish(),
    }
}

/// Whether a report of this age is worth replacing.
fn is_news(told: &Probe, now: &Probe, age: Duration) -> bool {
    let threshold = NOTABLE * (1.0 - age.as_secs_f64() / STALE.as_secs_f64()).max(0.0);
    let moved = |told: Option<f64>, now: Option<f64>| match (told, now) {
        (Some(told), Some(now)) => (now - told).abs() > told * threshold,
        (told, now) => told.is_some() != now.is_some(),
    };
    let rate = |probe: &Probe| probe.bitrate.map(|bitrate| bitrate as f64);
    let rtt = |probe: &Probe| probe.rtt.map(|rtt| rtt.as_millis() as f64);
    moved(rate(told), rate(now)) || moved(rtt(told), rtt(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_changes_wait() {
        let probe = |bitrate, rtt| Probe { bitrate: Some(bitrate), rtt: Some(Duration::from_millis(rtt)) };
        let second = Duration::from_secs(1);
        assert!(!is_news(&probe(1000, 20), &probe(1200, 20), second));
        assert!(is_news(&probe(1000, 20), &probe(1300, 20), second));
        assert!(is_news(&probe(1000, 20), &probe(1200, 20), 5 * second));
        assert!(is_news(&probe(1000, 20), &probe(1000, 26), second));
        assert!(!is_news(&probe(1000, 20), &probe(1000, 20), 60 * second), "the same again is never news");
        assert!(is_news(&Probe::default(), &probe(1, 1), second));
    }
}
