//! Every target on its seeds, and on pieces of them; the same as `make fuzz` without its engine.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use tenon_fuzz::TARGETS;

#[test]
fn every_target_holds_on_its_seeds_and_on_their_beginnings() {
    for (name, run) in TARGETS {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds")).join(name);
        let mut seeds = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let seed = fs::read(&path).unwrap();
            let step = 1 + seed.len() / 24;
            let ends = (0..seed.len()).step_by(step).chain([seed.len()]);
            for end in ends {
                let held = catch_unwind(|| run(&seed[..end]));
                assert!(held.is_ok(), "{} up to byte {end}", path.display());
            }
            seeds += 1;
        }
        assert!(seeds > 2, "{name} has {seeds} seeds");
    }
}

#[test]
fn there_is_a_target_for_each_name_and_none_for_others() {
    for (name, _) in TARGETS {
        assert!(tenon_fuzz::target(name).is_some(), "{name}");
    }
    assert!(tenon_fuzz::target("").is_none());
}
