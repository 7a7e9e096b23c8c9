//! Seeds and the saved corpus through every body, and nothing left out.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use moq_fuzz::TARGETS;

/// What the corpus may be in all, so that it stays in the repository.
const MOST_FILES: usize = 220;
const MOST_BYTES: usize = 300 << 10;

// One test for all, as bodies measure what the process allocates.
#[test]
fn every_body_bears_its_seeds_and_corpus() {
    // Tasks that panic are caught by the runtime.
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Relaxed);
        hook(info);
    }));
    assert_eq!(moq_fuzz::unseeded(), [""; 0], "codecs that read no seed");
    let (mut files, mut bytes) = (0, 0);
    for target in TARGETS {
        let saved = corpus(target.name);
        assert!(!saved.is_empty(), "no corpus of {}: dev/fuzz {}", target.name, target.name);
        files += saved.len();
        bytes += saved.iter().map(|(_, data)| data.len()).sum::<usize>();
        let seeds = (target.seeds)().into_iter().enumerate().map(|(i, data)| (format!("seed {i}"), data));
        let nothing = [vec![], vec![0; 64], vec![0xff; 64]].map(|data| ("nothing much".to_owned(), data));
        for (name, data) in seeds.chain(saved).chain(nothing) {
            eprintln!("-- {} {name}", target.name);
            (target.body)(&data);
            assert_eq!(PANICS.load(Relaxed), 0, "a task has panicked");
        }
    }
    assert!(files <= MOST_FILES && bytes <= MOST_BYTES, "{files} files and {bytes} bytes of corpus");
}

#[test]
fn every_target_has_a_main_and_a_corpus_and_no_other_has() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let mains = names("fuzz_targets").into_iter().map(|name| name.trim_end_matches(".rs").to_owned());
    assert_eq!(mains.collect::<BTreeSet<_>>(), targets);
    assert_eq!(names("corpus"), targets);
}

#[test]
fn every_codec_of_a_dialect_is_in_the_table() {
    let read = |file| fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (dialect, table) = (read("../src/wire/dialect.rs"), read("src/codecs.rs"));
    let fields = dialect.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let codecs: Vec<_> = fields.filter(|(_, kind)| kind.contains("Codec")).map(|(name, _)| name).collect();
    assert!(codecs.contains(&"announcement"), "{codecs:?}");
    let missing: Vec<_> = codecs.into_iter().filter(|name| !table.contains(&format!("dialect.{name}"))).collect();
    assert_eq!(missing, [""; 0], "codecs without a target");
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let names = if folder.is_dir() { names(&format!("corpus/{target}")) } else { BTreeSet::new() };
    names.into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
