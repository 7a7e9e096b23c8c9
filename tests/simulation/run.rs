//! One seed: its program on its cluster, in a runtime of its own.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, Once, mpsc},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::runtime::Builder;

use super::cluster::Cluster;

/// How long a program is.
const STEPS: usize = 200;

/// How long a seed may take by the clock on the wall. A run is over in a second; one that answers itself for ever, on
/// a clock that stands still, is never.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a seed's program to its end. An error tells what went wrong and everything that led there.
pub fn run(seed: u64) -> Result<(), String> {
    watch_for_panics();
    let story = Story::default();
    story.tell(format!("seed {seed}"));
    let (done, over) = mpsc::channel();
    let told = story.clone();
    // A thread of its own: what never ends is left behind.
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let fault = runtime.block_on(play(seed, &told)).err().or_else(|| PANICKED.take());
        let _ = done.send(fault);
    });
    let fault = over.recv_timeout(PATIENCE).unwrap_or_else(|_| Some("the world never comes to rest".to_owned()));
    fault.map_or(Ok(()), |fault| {
        story.tell(fault);
        Err(story.0.lock().unwrap().join("\n"))
    })
}

async fn play(seed: u64, story: &Story) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::new(&mut rng).await;
    story.tell(format!("{} nodes, {:?}", cluster.nodes.lock().unwrap().len(), cluster.shape));
    for (at, link) in cluster.links.iter().enumerate() {
        story.tell(format!("link {at}: {:?}, {}, price {:?}", link.ends, link.dialect.name, link.price));
    }
    for at in 0..STEPS {
        let (step, then) = cluster.draw(&mut rng);
        story.tell(format!("{at}: {step}, then {then:?}"));
        cluster.step(&step, then).await?;
        if let Some(panicked) = PANICKED.take() {
            return Err(panicked);
        }
    }
    story.tell("everything is healed, and all leave".to_owned());
    cluster.finale().await
}

/// What has happened so far.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn tell(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

thread_local! {
    /// What the last panic on this thread said: those of tasks are seen here alone.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.set(Some(panic.to_string()));
            before(panic);
        }));
    });
}
