//! One seed: its program on its cluster, in a runtime of its own.

use std::{cell::RefCell, fmt::Write, sync::Once};

use rand::{SeedableRng, rngs::StdRng};
use tokio::runtime::Builder;

use super::cluster::Cluster;

/// How long a program is.
const STEPS: usize = 200;

thread_local! {
    /// What the last panic on this thread said: those of tasks are seen here alone.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a seed's program to its end. An error tells what went wrong and everything that led there.
pub fn run(seed: u64) -> Result<(), String> {
    watch_for_panics();
    PANICKED.take();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut story = format!("seed {seed}\n");
    let fault = runtime.block_on(play(seed, &mut story)).err().or_else(|| PANICKED.take());
    fault.map_or(Ok(()), |fault| Err(format!("{story}\n{fault}\n")))
}

async fn play(seed: u64, story: &mut String) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::new(&mut rng);
    let count = cluster.nodes.lock().unwrap().len();
    let _ = writeln!(story, "{count} nodes, {:?}", cluster.shape);
    for (at, link) in cluster.links.iter().enumerate() {
        let _ = writeln!(story, "link {at}: {:?}, {}, price {:?}", link.ends, link.dialect.name, link.price);
    }
    for at in 0..STEPS {
        let (step, then) = cluster.draw(&mut rng);
        let _ = writeln!(story, "{at}: {step}, then {then:?}");
        cluster.step(&step, then).await?;
        if let Some(panicked) = PANICKED.take() {
            return Err(panicked);
        }
    }
    let _ = writeln!(story, "everything is healed, and all leave");
    cluster.finale().await
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
