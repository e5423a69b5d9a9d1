//! The translation alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tenon_model::Object;
use tenon_translate::{Change, Module, Translator, TranslatorOptions};

use super::folder::{Api, all_objects, lambda, objects, upstream};
use super::{Selection, quartiles};
use crate::report::Figure;

/// The most that 1,000 upstreams may take, in milliseconds.
const UPSTREAMS_TARGET: f64 = 4.0;
const ROUNDS: usize = 15;
/// Of what takes seconds.
const FEW_ROUNDS: usize = 3;
const EDITS: usize = 300;

pub(super) fn measure(selection: &Selection<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (kind, form, target) in [
        (
            "upstreams",
            upstream as fn(usize) -> String,
            Some(UPSTREAMS_TARGET),
        ),
        ("lambdas", lambda, None),
    ] {
        let name = format!("translate/{kind}/1000");
        if selection.wants(&name) {
            let texts: Vec<_> = (0..1_000).map(form).collect();
            let objects = objects(&texts.join("---\n"))?;
            figures.push(cold(name, &objects, ROUNDS, target));
        }
    }
    let sizes = |api| [100, 1_000, 10_000, 100_000].map(|hosts| (api, hosts));
    for (api, hosts) in Api::ALL.into_iter().flat_map(sizes) {
        let (all, edit) = (
            format!("{}translate/hosts/{hosts}", api.rows()),
            format!("{}translate/edit/{hosts}", api.rows()),
        );
        if !selection.wants(&all) && !selection.wants(&edit) {
            continue;
        }
        let objects = all_objects(api, hosts)?;
        if selection.wants(&all) {
            let rounds = if hosts > 10_000 { FEW_ROUNDS } else { ROUNDS };
            figures.push(cold(all, &objects, rounds, None));
        }
        if selection.wants(&edit) {
            figures.extend(edits(&edit, api, hosts, &objects)?);
        }
    }
    Ok(figures)
}

fn translator() -> Translator {
    Translator::new(TranslatorOptions {
        module: Module::So("/usr/lib/tenon/libtenon.so".into()),
        default_bind: ([127, 0, 0, 1], 8080).into(),
        parts_above: TranslatorOptions::PARTS_ABOVE,
        more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
        trees_above: TranslatorOptions::TREES_ABOVE,
        header_secrets_of_upstreams_namespace: false,
    })
}

fn changes(objects: &[Arc<Object>]) -> Vec<Change> {
    objects.iter().cloned().map(Change::Upsert).collect()
}

/// All at once, by a translator that knows nothing; beside it, by one that has it all and derives it anew.
fn cold(name: String, objects: &[Arc<Object>], rounds: usize, target: Option<f64>) -> Figure {
    let mut times = Vec::new();
    let mut anew = Vec::new();
    for _ in 0..rounds {
        let mut translator = translator();
        let changes = changes(objects);
        let started = Instant::now();
        let told = black_box(translator.apply(changes));
        times.push(started.elapsed());
        drop(told);
        let started = Instant::now();
        black_box(translator.apply_anew(Vec::new()));
        anew.push(started.elapsed());
    }
    let [_, baseline, _] = quartiles(&mut anew);
    Figure::with_spread(name, "ms", quartiles(&mut times), baseline, target)
}

/// One edit after the other; beside it, as many as there is time for with everything derived anew. And the bytes of the
/// resources that an edit changes, which is what goes to each Envoy.
fn edits(name: &str, api: Api, hosts: usize, objects: &[Arc<Object>]) -> Result<[Figure; 2]> {
    let mut translator = translator();
    translator.apply(changes(objects));
    let mut times = Vec::new();
    let mut anew = Vec::new();
    let mut bytes = 0;
    for number in 0..EDITS {
        let text = api.host(number % hosts, Some(201));
        let edit = changes(&super::folder::objects(&text)?);
        let started = Instant::now();
        let told = black_box(translator.apply(edit));
        times.push(started.elapsed());
        let changed = told.resources.values().flatten();
        bytes += changed.map(|it| it.value.len()).sum::<usize>();
    }
    while anew.len() < FEW_ROUNDS || anew.iter().sum::<Duration>() < Duration::from_millis(300) {
        let text = api.host(anew.len() % hosts, Some(202));
        let edit = changes(&super::folder::objects(&text)?);
        let started = Instant::now();
        black_box(translator.apply_anew(edit));
        anew.push(started.elapsed());
    }
    let [_, baseline, _] = quartiles(&mut anew);
    let times = Figure::with_spread(name.to_owned(), "ms", quartiles(&mut times), baseline, None);
    let bytes = bytes as f64 / EDITS as f64;
    let bytes = Figure::at_most(format!("{name}/bytes"), "B", bytes, f64::NAN, None);
    Ok([times, bytes])
}
