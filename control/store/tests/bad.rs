//! Broken inputs: `tests/golden/bad/<area>/<case>.yaml` (or `<case>/…`, a folder of files), each beside the same
//! neighbours (`tests/golden/bad/neighbours.yaml`) and the area's `with.yaml`, which refers to it.
//!
//! What is said about each stands in the area's `statuses.txt`; `UPDATE_GOLDEN=1` writes it, and the difference is to be
//! reviewed. What is served of the neighbours is the same bytes with and without the broken input; and where the area has
//! a `good.yaml`, a broken form that takes its place leaves all that is served as it was, also after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tenon_model::{ObjectKey, ProblemLevel};
use tenon_store::{Files, Source};
use tenon_translate::{
    Change, Condition, Module, Resource, ResourceId, ResourceType, State, Status, Translator,
    TranslatorOptions, Update,
};

const LEAST_CASES: usize = 570;

type Resources = BTreeMap<ResourceId, Arc<Resource>>;
type Statuses = BTreeMap<ObjectKey, Arc<Status>>;

#[test]
fn broken_inputs_say_what_is_wrong_and_leave_their_neighbours_alone() {
    let areas = areas();
    let cases: usize = areas.iter().map(|area| area.cases.len()).sum();
    let alone = Known::of(&neighbourhood());
    let wrong: Vec<_> = of_each(&areas, |area| {
        let mut wrong = Vec::new();
        let before = Known::of(&area.neighbourhood());
        let mut told = String::new();
        for case in &area.cases {
            told += &format!("== {}\n", case.name);
            told += &case.cold(area, (&alone, &before), &mut wrong);
            told.push('\n');
        }
        wrong.extend(compare(&area.folder.join("statuses.txt"), &told).err());
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= LEAST_CASES, "only {cases} cases");
}

#[test]
fn a_good_form_stays_when_a_broken_one_takes_its_place() {
    let alone = Known::of(&neighbourhood());
    let stayed = AtomicUsize::default();
    let wrong: Vec<_> = of_each(&areas(), |area| {
        let mut wrong = Vec::new();
        for case in area.cases.iter().filter(|_| area.good.is_some()) {
            let stays = case.replaces_a_good_form(area, &alone, &mut wrong);
            stayed.fetch_add(usize::from(stays), Ordering::Relaxed);
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let stayed = stayed.into_inner();
    assert!(stayed >= LEAST_CASES / 2, "only {stayed} good forms stayed");
}

/// What is wrong with each area, looked at side by side.
fn of_each(areas: &[Area], look: impl Fn(&Area) -> Vec<String> + Sync) -> Vec<String> {
    std::thread::scope(|scope| {
        let looks = areas.iter().map(|area| scope.spawn(|| look(area)));
        let looks: Vec<_> = looks.collect();
        let found = looks.into_iter().flat_map(|it| it.join().unwrap());
        found.collect()
    })
}

/// Cases whose good form is the same, and what they have beside them.
struct Area {
    folder: PathBuf,
    good: Option<Vec<u8>>,
    cases: Vec<Case>,
}

struct Case {
    /// With its area.
    name: String,
    path: PathBuf,
}

/// The files of an area that are no cases.
const NO_CASES: [&str; 3] = ["good.yaml", "with.yaml", "statuses.txt"];

fn areas() -> Vec<Area> {
    let areas = entries(&root()).into_iter().filter(|path| path.is_dir());
    areas.map(Area::read).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/bad")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

impl Area {
    fn read(folder: PathBuf) -> Self {
        let file_name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let cases = entries(&folder).into_iter().filter_map(|path| {
            let file = file_name(&path);
            let name = file.split('.').next().unwrap_or_default();
            (!NO_CASES.contains(&&*file)).then(|| Case {
                name: format!("{}/{name}", file_name(&folder)),
                path: path.clone(),
            })
        });
        Self {
            cases: cases.collect(),
            good: fs::read(folder.join("good.yaml")).ok(),
            folder,
        }
    }

    /// A folder with what all cases of it have beside them.
    fn neighbourhood(&self) -> Folder {
        let folder = neighbourhood();
        let with = self.folder.join("with.yaml");
        if with.exists() {
            folder.copy(&with, "with.yaml");
        }
        folder
    }
}

fn neighbourhood() -> Folder {
    let folder = Folder(TempDir::with_prefix("tenon-bad-").unwrap());
    folder.copy(&root().join("neighbours.yaml"), "neighbours.yaml");
    folder
}

struct Folder(TempDir);

impl Folder {
    fn copy(&self, from: &Path, to: &str) {
        let to = self.0.path().join(to);
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            for entry in entries(from) {
                let name = entry.file_name().unwrap().to_string_lossy();
                self.copy(&entry, &format!("{}/{name}", to.display()));
            }
        } else {
            fs::copy(from, to).unwrap();
        }
    }

    fn files(&self) -> Files {
        Files::new(&[self.0.path().to_owned()]).unwrap()
    }

    /// Without the path of this folder, which is another one each time.
    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// What was told of a folder, put together.
struct Known {
    translator: Translator,
    resources: Resources,
    statuses: Statuses,
    complaints: Vec<String>,
}

impl Known {
    fn nothing() -> Self {
        let translator = Translator::new(TranslatorOptions {
            module: Module::So("/usr/lib/tenon/libtenon.so".into()),
            default_bind: "127.0.0.1:8080".parse().unwrap(),
            parts_above: TranslatorOptions::PARTS_ABOVE,
            more_parts_above: TranslatorOptions::MORE_PARTS_ABOVE,
            trees_above: TranslatorOptions::TREES_ABOVE,
            header_secrets_of_upstreams_namespace: false,
        });
        Self {
            translator,
            resources: BTreeMap::new(),
            statuses: BTreeMap::new(),
            complaints: Vec::new(),
        }
    }

    fn of(folder: &Folder) -> Self {
        let mut known = Self::nothing();
        known.read(&mut folder.files());
        known
    }

    /// What is known now, for later.
    fn seen(&self) -> Self {
        Self {
            resources: self.resources.clone(),
            statuses: self.statuses.clone(),
            ..Self::nothing()
        }
    }

    fn read(&mut self, files: &mut Files) -> Vec<Change> {
        let batch = files.read().unwrap();
        let Update {
            resources,
            statuses,
            ..
        } = self.translator.apply(batch.changes.clone());
        merge(&mut self.resources, resources);
        merge(&mut self.statuses, statuses);
        self.complaints = batch.complaints;
        batch.changes
    }
}

fn merge<K: Ord, V>(all: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, change) in changes {
        match change {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
}

impl Case {
    fn put(&self, folder: &Folder) {
        match self.path.is_dir() {
            true => folder.copy(&self.path, "subject"),
            false => folder.copy(&self.path, "subject.yaml"),
        }
    }

    /// Beside neighbours, from the start. What is said of it; and of what stood there before it, where that is another
    /// thing than before.
    fn cold(
        &self,
        area: &Area,
        (alone, before): (&Known, &Known),
        wrong: &mut Vec<String>,
    ) -> String {
        let folder = area.neighbourhood();
        self.put(&folder);
        let beside = Known::of(&folder);
        wrong.extend(self.differences(alone, alone, &beside));
        let mut told = String::new();
        for (key, status) in &beside.statuses {
            let text = shown(key, status);
            let old = before.statuses.get(key);
            if old.is_none_or(|old| shown(key, old) != text) {
                told += &text;
            }
        }
        for complaint in &beside.complaints {
            told += &format!("complaint: {complaint}\n");
        }
        if !["error ", "warning ", "complaint"]
            .iter()
            .any(|it| told.contains(it))
        {
            wrong.push(format!("{}: nothing is wrong with it", self.name));
        }
        folder.relative(&told)
    }

    /// What of the neighbours is served otherwise than before.
    fn differences(&self, neighbours: &Known, before: &Known, after: &Known) -> Vec<String> {
        let mut found = Vec::new();
        for (id, of_neighbours) in &neighbours.resources {
            let (Some(old), Some(new)) = (before.resources.get(id), after.resources.get(id)) else {
                found.push(format!("{}: {:?} {} is gone", self.name, id.kind, id.name));
                continue;
            };
            let parts = match id.kind {
                ResourceType::Route => Some(VIRTUAL_HOSTS),
                ResourceType::Listener => Some(FILTER_CHAINS),
                _ => None,
            };
            let same = parts.map_or(old.value == new.value, |parts| {
                let [neighbours, old, new] = [of_neighbours, old, new].map(|it| split(it, parts));
                let still = neighbours
                    .0
                    .intersection(&old.0)
                    .cloned()
                    .collect::<BTreeSet<_>>();
                let some = neighbours.0.is_empty() || !still.is_empty();
                old.1 == new.1 && some && still.is_subset(&new.0)
            });
            // Filters of the whole listener, switched off, are there for whoever uses them.
            let is_in_use = id.kind == ResourceType::Listener && self.is_in_use(after);
            if !same && !is_in_use {
                found.push(format!("{}: another {:?} {}", self.name, id.kind, id.name));
            }
        }
        found
    }

    /// Whether it is served, with a warning.
    fn is_in_use(&self, known: &Known) -> bool {
        let statuses = &mut known.statuses.values();
        statuses.all(|status| status.state != State::Rejected)
    }

    /// In the place of a good form, whether that stays; while the control plane runs, and after a restart.
    fn replaces_a_good_form(&self, area: &Area, alone: &Known, wrong: &mut Vec<String>) -> bool {
        let mut complain = |text: &str| wrong.push(format!("{}: {text}", self.name));
        let folder = area.neighbourhood();
        let file = folder.0.path().join("subject.yaml");
        let good = area.good.as_deref().unwrap_or_default();
        let state = TempDir::with_prefix("tenon-bad-").unwrap();
        let open = || folder.files().with_last_good(state.path()).unwrap();
        fs::write(&file, good).unwrap();
        let mut files = open();
        let mut running = Known::nothing();
        running.read(&mut files);
        let subject = running
            .statuses
            .keys()
            .find(|key| matches!(&*key.name, "subject" | "default"));
        let subject = subject.unwrap().clone();
        let good_form = running.seen();
        for (key, status) in &running.statuses {
            if status.state != State::Accepted {
                complain(&format!("its good form is not: {}", shown(key, status)));
            }
        }
        self.put(&folder);
        let told = running.read(&mut files);
        let is_rejected = running
            .statuses
            .get(&subject)
            .is_some_and(|it| it.state == State::Rejected);
        let stays = is_rejected && !self.path.is_dir();
        let differences = match stays {
            // Whatever refers to it goes on, too.
            true => self.differences(&good_form, &good_form, &running),
            false => self.differences(alone, &good_form, &running),
        };
        differences.iter().for_each(|it| complain(it));
        // Whether what can be parsed is good, is not told here: an Envoy says that.
        let parsed = |change: &Change| matches!(change, Change::Upsert(_));
        if stays && !told.iter().any(parsed) {
            let mut again = Known::nothing();
            again.read(&mut open());
            if again.resources != good_form.resources {
                complain("its last good form is lost with a restart");
            }
        }
        if !self.path.is_dir() {
            fs::write(&file, good).unwrap();
            running.read(&mut files);
            if running.resources != good_form.resources {
                complain("its good form does not come back");
            }
        }
        stays
    }
}

fn shown(key: &ObjectKey, status: &Status) -> String {
    let mut text = format!("{:?} {key}\n", status.state);
    for message in &status.messages {
        let level = match message.level {
            ProblemLevel::Error => "error",
            ProblemLevel::Warning => "warning",
        };
        let at = match message.field.as_str() {
            "" => String::new(),
            field => format!("{field}: "),
        };
        text += &format!("  {level} {at}{}\n", message.text);
    }
    let Some(conditions) = &status.conditions else {
        return text;
    };
    text += &shown_conditions("", &conditions.own);
    for it in &conditions.parents {
        let section = it.parent.section_name.iter().map(|it| format!("#{it}"));
        let at = format!(" of {}{}", it.parent.name, section.collect::<String>());
        text += &shown_conditions(&at, &it.conditions);
    }
    for it in &conditions.listeners {
        text += &shown_conditions(&format!(" of {}", it.name), &it.conditions);
    }
    text
}

/// In a line, without their words, which are those of the messages.
fn shown_conditions(at: &str, conditions: &[Condition]) -> String {
    if conditions.is_empty() {
        return String::new();
    }
    let shown = conditions.iter().map(|it| match it.reason {
        reason if reason == it.kind => format!("{}={}", it.kind, it.status()),
        reason => format!("{}={} {reason}", it.kind, it.status()),
    });
    let shown: Vec<_> = shown.collect();
    format!("  conditions{at}: {}\n", shown.join(", "))
}

/// Compares with what is written down, or writes it down.
fn compare(file: &Path, found: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file, found).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    let difference = expected
        .lines()
        .zip(found.lines())
        .find(|(expected, found)| expected != found);
    Err(format!("{}: {difference:?}", file.display()))
}

/// `RouteConfiguration.virtual_hosts`
const VIRTUAL_HOSTS: u64 = 2;
/// `Listener.filter_chains`
const FILTER_CHAINS: u64 = 3;

/// The parts of a message that stand in this field, and the rest of it.
fn split(resource: &Resource, field: u64) -> (BTreeSet<Vec<u8>>, Vec<u8>) {
    let mut parts = BTreeSet::new();
    let mut rest = Vec::new();
    let mut bytes = &resource.value[..];
    while !bytes.is_empty() {
        let whole = bytes;
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            other => panic!("wire type {other}"),
        };
        let content = &bytes[..length];
        bytes = &bytes[length..];
        match tag >> 3 {
            it if it == field => {
                parts.insert(content.to_vec());
            }
            _ => rest.extend(&whole[..whole.len() - bytes.len()]),
        }
    }
    (parts, rest)
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}
