//! Lets a connection send a burst whole, in as few system calls as the kernel takes it.
//!
//! quinn's connections write 10 packets at a time and give way after 20. A frame of 30 packets then takes three system
//! calls, and its end waits until every other connection has sent its beginning: all viewers are as late as the last.
//! Bursts are joined by the socket (`joined`), which this runtime's tasks empty when they give way.
//!
//! Whoever makes an endpoint also gets its driver, which reads the socket. As a task among thousands it would have its
//! turn of 50 µs once all of them have had theirs, too seldom when a frame is sent to a crowd: the socket overflows. What is
//! read sooner waits for its connection in memory, not in the socket.

mod joined;

use std::{
    fmt, io,
    net::UdpSocket,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use futures::future::BoxFuture;
use quinn::{AsyncTimer, AsyncUdpSocket, Endpoint, EndpointConfig, Runtime, ServerConfig, TokioRuntime, UdpPoller};
use tokio::sync::oneshot;

use self::joined::Joined;

/// After how many packets quinn's connections give way (`MAX_TRANSMIT_DATAGRAMS`).
const TURN: usize = 20;
/// How many turns a connection gets at once: 120 KB. Halved, a frame of HD is sent in two parts; doubled, a viewer who
/// catches up keeps others waiting for twice as long.
const TURNS: usize = 4;

/// What reads an endpoint's socket and hands packets to its connections, until nobody has the endpoint and it has none.
pub type Driver = BoxFuture<'static, ()>;

/// An endpoint whose connections send so, and its driver.
#[expect(clippy::disallowed_methods, reason = "the one place that is meant")]
pub(super) fn endpoint(
    config: EndpointConfig,
    server: Option<ServerConfig>,
    socket: Arc<dyn AsyncUdpSocket>,
) -> io::Result<(Endpoint, Driver)> {
    let socket = Arc::new(Joined::new(socket));
    let (first, mut driver) = oneshot::channel();
    let runtime = Bursts { socket: socket.clone(), first: Mutex::new(Some(first)) };
    let endpoint = Endpoint::new_with_abstract_socket(config, server, socket, Arc::new(runtime))?;
    Ok((endpoint, driver.try_recv().map_err(io::Error::other)?))
}

/// quinn's runtime on tokio, for an endpoint that sends through this socket.
struct Bursts {
    socket: Arc<Joined>,
    /// Who gets quinn's first task, the endpoint's own. All others are connections'.
    first: Mutex<Option<oneshot::Sender<Driver>>>,
}

impl fmt::Debug for Bursts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bursts").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Runtime for Bursts {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        match self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It sends packets one by one, which are never kept back.
            Some(first) => drop(first.send(task)),
            None => drop(tokio::spawn(Sending { task, socket: self.socket.clone(), writable: None })),
        }
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

/// A connection's task.
struct Sending {
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    socket: Arc<Joined>,
    /// Made when the kernel first has no room.
    writable: Option<Pin<Box<dyn UdpPoller>>>,
}

impl Future for Sending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut polled = Poll::Pending;
        for _ in 0..TURNS {
            let before = self.socket.packets();
            polled = self.task.as_mut().poll(cx);
            if polled.is_ready() || self.socket.packets().wrapping_sub(before) < TURN {
                break;
            }
        }
        while self.socket.flush().is_err() {
            let Self { socket, writable, .. } = &mut *self;
            let writable = writable.get_or_insert_with(|| socket.clone().create_io_poller());
            // An error is the runtime's end.
            let Poll::Ready(Ok(())) = writable.as_mut().poll_writable(cx) else { break };
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::{joined::tests::Fake, *};

    /// A task that sends so many packets whenever it is polled, and how often that was.
    fn sending(fake: &Arc<Fake>, packets: usize) -> (Pin<Box<Sending>>, Arc<AtomicUsize>) {
        let socket = Arc::new(Joined::new(fake.clone()));
        let polls = Arc::new(AtomicUsize::new(0));
        let (counter, sender) = (polls.clone(), socket.clone());
        let task = Box::pin(std::future::poll_fn(move |_| {
            counter.fetch_add(1, SeqCst);
            for sent in (0..packets).step_by(10) {
                sender.try_send(&joined::tests::packets(1, (packets - sent).min(10))).unwrap();
            }
            Poll::Pending
        }));
        (Box::pin(Sending { task, socket, writable: None }), polls)
    }

    fn poll(task: &mut Pin<Box<Sending>>) {
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        assert!(task.as_mut().poll(&mut cx).is_pending());
    }

    #[tokio::test]
    async fn the_first_task_is_for_whoever_made_the_endpoint() {
        let (first, mut driver) = oneshot::channel();
        let runtime = Bursts { socket: Arc::new(Joined::new(Arc::<Fake>::default())), first: Mutex::new(Some(first)) };
        let polls = Arc::new(AtomicUsize::new(0));
        let task = |value| {
            let polls = polls.clone();
            Box::pin(async move {
                polls.fetch_add(value, SeqCst);
            })
        };
        runtime.spawn(task(1));
        runtime.spawn(task(10));
        tokio::task::yield_now().await;
        assert_eq!(polls.load(SeqCst), 10);
        driver.try_recv().unwrap().await;
        assert_eq!(polls.load(SeqCst), 11);
    }

    #[test]
    fn who_gave_way_goes_on_for_some_turns() {
        let fake = Arc::new(Fake::default());
        let (mut task, polls) = sending(&fake, TURN);
        poll(&mut task);
        assert_eq!(polls.load(SeqCst), TURNS);
        assert_eq!(fake.sent().iter().sum::<usize>(), TURNS * TURN);
    }

    #[test]
    fn who_has_no_more_is_not_asked_again() {
        for packets in [0, 1, TURN - 1] {
            let fake = Arc::new(Fake::default());
            let (mut task, polls) = sending(&fake, packets);
            poll(&mut task);
            assert_eq!(polls.load(SeqCst), 1, "{packets} packets");
            assert_eq!(fake.sent().iter().sum::<usize>(), packets, "a burst without an end is sent, too");
        }
    }

    #[test]
    fn what_the_kernel_did_not_take_is_sent_once_it_does() {
        let fake = Arc::new(Fake::default());
        let (mut task, polls) = sending(&fake, 10);
        fake.block(true);
        poll(&mut task);
        assert_eq!((fake.sent(), fake.waiting()), (vec![], 1), "it waits for the socket");
        fake.block(false);
        poll(&mut task);
        assert_eq!((fake.sent(), polls.load(SeqCst)), (vec![20], 2));
    }

    #[test]
    fn nobody_waits_for_a_runtime_that_has_ended() {
        let fake = Arc::new(Fake::default());
        let (mut task, _) = sending(&fake, 10);
        fake.block(true);
        fake.shatter(true);
        poll(&mut task);
        assert_eq!(fake.waiting(), 1);
    }

    #[test]
    fn what_a_task_sends_last_is_sent() {
        let fake = Arc::new(Fake::default());
        let socket = Arc::new(Joined::new(fake.clone()));
        let sender = socket.clone();
        let task = Box::pin(async move { sender.try_send(&joined::tests::packets(1, 10)).unwrap() });
        let mut task = Sending { task, socket, writable: None };
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        assert!(Pin::new(&mut task).poll(&mut cx).is_ready());
        assert_eq!(fake.sent(), [10]);
    }
}
