//! Everything that is kept in the corpus, through the targets that it is for.

use std::fs;
use std::path::{Path, PathBuf};

use metrics_fuzz::{TARGETS, run};

/// Targets that are there with the engine only.
const OF_ENGINE: [&str; 2] = ["inflate", "promql"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort_unstable();
    files
}

#[test]
fn every_kept_input_is_read_or_refused_and_never_worse() {
    for (name, _) in TARGETS {
        let kept = files(&folder("corpus").join(name));
        assert!(kept.len() >= 5, "{name} has {} inputs", kept.len());
        for path in kept {
            // A failure names the input that it is about.
            println!("{}", path.display());
            run(name, &fs::read(&path).expect("it is readable"));
        }
    }
}

#[test]
fn every_target_has_its_program_and_every_folder_its_target() {
    for (name, _) in TARGETS {
        let program = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).expect("a program");
        assert!(program.contains(&format!("metrics_fuzz::run(\"{name}\", data)")), "{program}");
    }
    for path in files(&folder("corpus")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if !cfg!(feature = "engine") && OF_ENGINE.contains(&name) {
            continue;
        }
        assert!(TARGETS.iter().any(|(known, _)| *known == name), "the folder {name} has no target");
    }
}

#[test]
fn the_corpus_is_small() {
    let bytes = |path: &PathBuf| fs::metadata(path).expect("it is there").len();
    let all: u64 = files(&folder("corpus")).iter().flat_map(|folder| files(folder)).map(|path| bytes(&path)).sum();
    assert!(all <= 2 << 20, "{all} bytes");
}
