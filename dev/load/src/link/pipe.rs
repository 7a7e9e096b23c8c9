//! One direction of a link: packets wait for their turn at the link's rate, are lost by chance, and travel.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Profile;

/// What IP and UDP put in front of a packet.
const HEADERS: usize = 28;

pub(super) struct Pipe {
    profile: Profile,
    chance: Chance,
    /// When the last packet that was let in has left the queue.
    free: Option<Instant>,
    /// On their way, by the moment at which they arrive.
    line: VecDeque<(Instant, Box<[u8]>)>,
    /// All that were offered.
    pub(super) packets: u64,
    pub(super) lost: u64,
    pub(super) dropped: u64,
}

impl Pipe {
    pub(super) fn new(profile: Profile, seed: u64) -> Self {
        Self { profile, chance: Chance(seed), free: None, line: VecDeque::new(), packets: 0, lost: 0, dropped: 0 }
    }

    /// A packet enters, if the queue has room.
    pub(super) fn take(&mut self, packet: &[u8], now: Instant) {
        self.packets += 1;
        let turn = self.free.map_or(now, |free| free.max(now));
        if turn - now > self.profile.queue {
            self.dropped += 1;
            return;
        }
        let bits = (packet.len() + HEADERS) as f64 * 8.0;
        let gone = turn + Duration::from_secs_f64(bits / self.profile.bits_per_s);
        self.free = Some(gone);
        // A lost packet has used the link.
        if self.chance.next() < self.profile.loss {
            self.lost += 1;
            return;
        }
        self.line.push_back((gone + self.profile.rtt / 2, packet.into()));
    }

    /// The next packet that has arrived by now, and when it did.
    pub(super) fn ripe(&mut self, now: Instant) -> Option<(Instant, Box<[u8]>)> {
        self.line.pop_front_if(|(due, _)| *due <= now)
    }

    /// When the next packet arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        self.line.front().map(|(due, _)| *due)
    }
}

/// The same chance every time: SplitMix64.
struct Chance(u64);

impl Chance {
    /// At least 0 and below 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A packet of 1,000 bytes with its headers takes 1 ms.
    fn pipe(loss: f64) -> Pipe {
        Pipe::new(Profile { rtt: 20 * MS, bits_per_s: 8e6, loss, queue: 3 * MS }, 7)
    }

    #[test]
    fn packets_take_turns_and_travel() {
        let (mut pipe, now) = (pipe(0.0), Instant::now());
        pipe.take(&[1; 972], now);
        pipe.take(&[2; 972], now);
        assert_eq!(pipe.due(), Some(now + 11 * MS));
        assert!(pipe.ripe(now + 10 * MS).is_none());
        assert_eq!(pipe.ripe(now + 12 * MS).unwrap().1[0], 1);
        assert_eq!(pipe.ripe(now + 12 * MS).unwrap().0, now + 12 * MS);
        assert_eq!(pipe.due(), None);
    }

    #[test]
    fn a_full_queue_drops_what_comes_last() {
        let (mut pipe, now) = (pipe(0.0), Instant::now());
        for _ in 0..10 {
            pipe.take(&[0; 972], now);
        }
        assert_eq!((pipe.line.len(), pipe.dropped), (4, 6));
        pipe.take(&[0; 972], now + 2 * MS);
        assert_eq!(pipe.line.len(), 5);
    }

    #[test]
    fn chance_loses_its_share_and_the_same_packets_every_time() {
        let losses = || {
            let (mut pipe, now) = (pipe(0.1), Instant::now());
            for i in 0..10_000 {
                pipe.take(&[0; 972], now + i * MS);
            }
            pipe.lost
        };
        assert!((900..1100).contains(&losses()));
        assert_eq!(losses(), losses());
    }
}
