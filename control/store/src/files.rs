//! Folders of YAML and JSON, watched.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self as thread_mpsc, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tenon_model::{Object, ObjectKey, Parsed, Problem, ProblemLevel};
use tenon_translate::{Change, in_parallel};
use tokio::sync::mpsc;

use crate::folder::{self, Content};
use crate::last_good::{Form, LastGood};
use crate::pending::{Look, Pending};
use crate::tree::{self, Document, Told, Tree};
use crate::{Batch, Error, Source};

/// So many files are worth a thread.
const FILES_AT_A_TIME: usize = 4;
/// Batches that may wait for the translation.
const QUEUE: usize = 16;

/// Folders of resources.
pub struct Files {
    roots: Vec<PathBuf>,
    tree: Tree<Arc<Object>>,
    /// By file: a hash of what was read last.
    seen: BTreeMap<PathBuf, u64>,
    /// By file: a hash of content with faults, which may be of a file that is being written. It is believed when it is
    /// found a second time; the first reading of all has no time for that.
    suspects: BTreeMap<PathBuf, u64>,
    watching: bool,
    last_good: Option<LastGood>,
    forms: BTreeMap<PathBuf, Vec<Form>>,
    /// Files whose forms are to be kept, once the changes have been told.
    unsaved: BTreeSet<PathBuf>,
    wakes: (thread_mpsc::Sender<Wake>, thread_mpsc::Receiver<Wake>),
    /// Whether a form is good only once that is told.
    by_proof: bool,
    /// What is not told to be good yet, by file: its text, and the resources that it has.
    unproven: BTreeMap<PathBuf, (Arc<str>, BTreeSet<ObjectKey>)>,
    /// Forms of an earlier run, to be told with the first batch.
    in_use_before: Vec<Change>,
}

/// What a file was found to be.
enum Reading {
    NotOurs,
    Gone,
    AsBefore,
    New {
        /// Its path in the folder.
        relative: String,
        /// Its text, or why there is none.
        content: Result<Arc<str>, String>,
        hash: u64,
        documents: Vec<Document<Arc<Object>>>,
    },
}

/// Something to look at.
enum Wake {
    File(notify::Result<notify::Event>),
    Proven(BTreeSet<ObjectKey>),
}

/// Tells which resources turned out to be good.
pub struct Proofs(thread_mpsc::Sender<Wake>);

impl Proofs {
    /// These resources are good in the form that was told last.
    pub fn tell(&self, keys: BTreeSet<ObjectKey>) {
        // Nobody listens if the folders are not watched any more.
        let _ = self.0.send(Wake::Proven(keys));
    }
}

impl Files {
    /// The resources of some folders.
    ///
    /// # Errors
    /// One of them is not there, or is no folder.
    pub fn new(folders: &[PathBuf]) -> Result<Self, Error> {
        let roots = folders.iter().map(|folder| {
            let at = |reason| Error::Folder {
                path: folder.display().to_string(),
                reason,
            };
            std::fs::read_dir(folder).map_err(at)?;
            std::path::absolute(folder).map_err(at)
        });
        Ok(Self {
            roots: roots.collect::<Result<_, _>>()?,
            tree: Tree::new(),
            seen: BTreeMap::new(),
            suspects: BTreeMap::new(),
            watching: false,
            last_good: None,
            forms: BTreeMap::new(),
            unsaved: BTreeSet::new(),
            wakes: thread_mpsc::channel(),
            by_proof: false,
            unproven: BTreeMap::new(),
            in_use_before: Vec::new(),
        })
    }

    /// Keeps the last good text of each resource in a folder, for the next start.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn with_last_good(mut self, folder: &Path) -> io::Result<Self> {
        self.last_good = Some(LastGood::open(folder)?);
        Ok(self)
    }

    /// Takes a form for the last good one only once that is told: that it could be parsed does not mean that it could be
    /// translated, or that an Envoy took it.
    pub fn with_proofs(mut self) -> (Self, Proofs) {
        self.by_proof = true;
        let proofs = Proofs(self.wakes.0.clone());
        (self, proofs)
    }

    fn look(&mut self, look: Look) -> Batch {
        let mut complaints = Vec::new();
        if look.all || look.paths.iter().any(|path| self.concerns_folder(path)) {
            self.look_at_all(&mut complaints);
        } else {
            for path in look.paths {
                self.look_at(&path, &mut complaints);
            }
        }
        Batch {
            changes: self.tree.settle().into_iter().map(change).collect(),
            last_good: std::mem::take(&mut self.in_use_before),
            complaints,
        }
    }

    fn concerns_folder(&self, path: &Path) -> bool {
        let known_below = self
            .tree
            .files()
            .any(|file| file != path && file.starts_with(path));
        known_below || path.is_dir()
    }

    fn look_at_all(&mut self, complaints: &mut Vec<String>) {
        let mut found = BTreeSet::new();
        for root in &self.roots {
            let mut listing = folder::list(root);
            for (unknown, error) in listing.unknown {
                complaints.push(format!("{}: {error}", unknown.display()));
                let below = self.tree.files().filter(|file| file.starts_with(&unknown));
                listing.files.extend(below.map(Path::to_owned));
            }
            found.append(&mut listing.files);
        }
        found.extend(self.tree.files().map(Path::to_owned));
        let found: Vec<_> = found.into_iter().collect();
        let read = in_parallel(&found, FILES_AT_A_TIME, |file| {
            read_file(&self.roots, &self.seen, file)
        });
        for (file, reading) in found.iter().zip(read) {
            self.take_in(file, reading, complaints);
        }
    }

    fn look_at(&mut self, file: &Path, complaints: &mut Vec<String>) {
        let reading = read_file(&self.roots, &self.seen, file);
        self.take_in(file, reading, complaints);
    }

    fn take_in(&mut self, file: &Path, reading: Reading, complaints: &mut Vec<String>) {
        let (relative, content, hash, documents) = match reading {
            Reading::NotOurs => return,
            Reading::Gone => return self.forget(file),
            Reading::AsBefore => {
                self.suspects.remove(file);
                return;
            }
            Reading::New {
                relative,
                content,
                hash,
                documents,
            } => (relative, content, hash, documents),
        };
        let good: BTreeSet<ObjectKey> = documents
            .iter()
            .filter_map(|document| match document {
                Document::Object(key, _) => Some(key.clone()),
                _ => None,
            })
            .collect();
        let broken = documents
            .iter()
            .any(|document| !matches!(document, Document::Object(..)));
        if broken && self.watching && self.suspects.insert(file.to_owned(), hash) != Some(hash) {
            return;
        }
        self.suspects.remove(file);
        self.seen.insert(file.to_owned(), hash);
        let text = content.as_deref().unwrap_or_default();
        let mut earlier = if broken || self.by_proof {
            self.earlier(file, &relative, text)
        } else {
            Vec::new()
        };
        let in_use = earlier.extract_if(.., |(key, _)| good.contains(key));
        self.in_use_before
            .extend(in_use.map(|(_, object)| Change::Upsert(object)));
        let problems = self.tree.update(file, documents, earlier);
        complaints.extend(problems.into_iter().map(|problem| problem.text));
        match content {
            Ok(text) if self.by_proof => {
                // What has no form yet has one that may be good.
                let forms = self.forms.get(file);
                let has_form = |key: &ObjectKey| {
                    forms.is_some_and(|forms| forms.iter().any(|form| form.has(key)))
                };
                let new: BTreeSet<_> = good.iter().filter(|key| !has_form(key)).cloned().collect();
                if !new.is_empty() {
                    self.remember(file, &text, &new);
                }
                self.unproven.insert(file.to_owned(), (text, good));
            }
            Ok(text) => self.remember(file, &text, &good),
            Err(_) => {}
        }
    }

    /// These resources are good.
    fn prove(&mut self, keys: &BTreeSet<ObjectKey>) {
        let files: Vec<_> = self.unproven.keys().cloned().collect();
        for file in files {
            let Some((text, unproven)) = self.unproven.remove(&file) else {
                continue;
            };
            let (proven, left): (BTreeSet<_>, BTreeSet<_>) =
                unproven.into_iter().partition(|key| keys.contains(key));
            if !proven.is_empty() {
                self.remember(&file, &text, &proven);
            }
            if !left.is_empty() {
                self.unproven.insert(file, (text, left));
            }
        }
    }

    fn forget(&mut self, file: &Path) {
        self.seen.remove(file);
        self.suspects.remove(file);
        self.forms.remove(file);
        self.unproven.remove(file);
        self.unsaved.insert(file.to_owned());
        self.tree.remove(file);
    }

    /// Good forms of an earlier run, in other texts than this one.
    fn earlier(
        &mut self,
        file: &Path,
        relative: &str,
        newest: &str,
    ) -> Vec<(ObjectKey, Arc<Object>)> {
        let Some(last_good) = &self.last_good else {
            return Vec::new();
        };
        if self.forms.contains_key(file) {
            return Vec::new();
        }
        let forms = last_good.load(file);
        let mut objects = Vec::new();
        for form in forms.iter().filter(|form| *form.text != *newest) {
            for parsed in tenon_model::parse(relative, &form.text) {
                if let Parsed::Object(object) = parsed
                    && form.has(&object.key)
                {
                    objects.push((object.key.clone(), Arc::from(object)));
                }
            }
        }
        self.forms.insert(file.to_owned(), forms);
        objects
    }

    /// Notes for which resources a text is now the last good one; older texts stay for the others.
    fn remember(&mut self, file: &Path, text: &Arc<str>, good: &BTreeSet<ObjectKey>) {
        if self.last_good.is_none() {
            return;
        }
        let mut newest = Form::new(text.clone());
        good.iter().for_each(|key| newest.add(key));
        let tree = &self.tree;
        let needed: BTreeSet<String> = tree
            .keys(file)
            .filter(|key| !good.contains(key) && tree.has_good(file, key))
            .map(tree::name)
            .collect();
        let old = self.forms.remove(file).unwrap_or_default();
        let mut forms = old.clone();
        for form in &mut forms {
            if form.text == newest.text {
                // Proven of some of its resources before.
                newest.add_all(form);
            }
            form.keep(&needed);
        }
        forms.retain(|form| form.text != newest.text);
        forms.push(newest);
        forms.retain(|form| !form.is_empty());
        if forms != old {
            self.unsaved.insert(file.to_owned());
        }
        self.forms.insert(file.to_owned(), forms);
    }

    /// Writes what is to be kept; later than telling it, so that a slow disk delays nobody.
    fn save(&mut self) {
        let Some(last_good) = &self.last_good else {
            self.unsaved.clear();
            return;
        };
        for file in std::mem::take(&mut self.unsaved) {
            match self.forms.get(&file) {
                None => last_good.remove(&file),
                Some(forms) => {
                    if let Err(error) = last_good.save(&file, forms) {
                        tracing::warn!(file = %file.display(), %error, "cannot keep the last good form");
                    }
                }
            }
        }
    }

    fn run(mut self, mut watch: Watch, mut batch: Batch, batches: &mpsc::Sender<Batch>) {
        let mut pending = Pending::default();
        let mut first = true;
        loop {
            let worth_telling = !batch.changes.is_empty() || !batch.complaints.is_empty();
            if (first || worth_telling) && batches.blocking_send(batch).is_err() {
                return;
            }
            first = false;
            self.watching = true;
            self.save();
            pending.look_again(self.suspects.keys(), Instant::now());
            match watch.wait(&mut pending, &self.roots, batches) {
                Woken::Files => batch = self.look(pending.take(Instant::now())),
                Woken::Proven(keys) => {
                    self.prove(&keys);
                    batch = Batch::default();
                }
                Woken::Closed => return,
            }
        }
    }

    fn read_all(&mut self) -> Batch {
        let all = Look {
            all: true,
            paths: BTreeSet::new(),
        };
        let batch = self.look(all);
        if let Some(last_good) = &self.last_good {
            for root in &self.roots {
                last_good.retain(root, |file| self.seen.contains_key(file));
            }
        }
        batch
    }
}

impl Source for Files {
    fn read(&mut self) -> Result<Batch, Error> {
        let batch = self.read_all();
        self.save();
        Ok(batch)
    }

    fn watch(mut self) -> Result<mpsc::Receiver<Batch>, Error> {
        // Watching comes first, so that no change falls between reading and watching.
        let (sender, wakes) = std::mem::replace(&mut self.wakes, thread_mpsc::channel());
        let watch = Watch::start(&self.roots, sender, wakes)?;
        let first = self.read_all();
        let (batches, receiver) = mpsc::channel(QUEUE);
        thread::spawn(move || self.run(watch, first, &batches));
        Ok(receiver)
    }
}

struct Watch {
    wakes: thread_mpsc::Receiver<Wake>,
    watcher: RecommendedWatcher,
}

/// What a wait came to.
enum Woken {
    /// There is something to look at.
    Files,
    /// These resources are good.
    Proven(BTreeSet<ObjectKey>),
    /// Nobody wants to know any more.
    Closed,
}

impl Watch {
    fn start(
        roots: &[PathBuf],
        sender: thread_mpsc::Sender<Wake>,
        wakes: thread_mpsc::Receiver<Wake>,
    ) -> Result<Self, Error> {
        let failed = |path: &Path, reason| Error::Watch {
            path: path.display().to_string(),
            reason,
        };
        let first = roots.first().map_or(Path::new("."), PathBuf::as_path);
        let tell = move |event| {
            // Nobody listens once the watch is over.
            let _ = sender.send(Wake::File(event));
        };
        let mut watcher =
            notify::recommended_watcher(tell).map_err(|reason| failed(first, reason))?;
        for root in roots {
            watcher
                .watch(root, RecursiveMode::Recursive)
                .map_err(|reason| failed(root, reason))?;
            // The folder itself may be a link that is swapped, or be replaced.
            if let Some(parent) = root.parent()
                && !roots.iter().any(|other| parent.starts_with(other))
                && let Err(error) = watcher.watch(parent, RecursiveMode::NonRecursive)
            {
                tracing::warn!(folder = %root.display(), %error, "its replacement would not be seen");
            }
        }
        Ok(Self { wakes, watcher })
    }

    /// A folder of resources that is another one now is watched anew.
    fn follow(&mut self, event: &notify::Event, roots: &[PathBuf]) {
        let comes = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let replaced = roots.iter().filter(|root| event.paths.contains(root));
        for root in replaced.filter(|root| comes && root.is_dir()) {
            // It may be watched no more, if it was removed.
            let _ = self.watcher.unwatch(root);
            if let Err(error) = self.watcher.watch(root, RecursiveMode::Recursive) {
                tracing::warn!(folder = %root.display(), %error, "cannot watch");
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(
        &mut self,
        pending: &mut Pending,
        roots: &[PathBuf],
        batches: &mpsc::Sender<Batch>,
    ) -> Woken {
        loop {
            let now = Instant::now();
            let event = match pending.due() {
                Some(due) if due <= now => return Woken::Files,
                Some(due) => self.wakes.recv_timeout(due - now),
                None => self
                    .wakes
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
            };
            if batches.is_closed() {
                return Woken::Closed;
            }
            match event {
                Ok(Wake::Proven(keys)) => return Woken::Proven(keys),
                Ok(Wake::File(Ok(event))) => {
                    self.follow(&event, roots);
                    pending.add(&event, roots, Instant::now());
                }
                Ok(Wake::File(Err(error))) => {
                    tracing::warn!(%error, "watching files");
                    let lost = notify::Event::default().set_flag(notify::event::Flag::Rescan);
                    pending.add(&lost, roots, Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => return Woken::Files,
                Err(RecvTimeoutError::Disconnected) => return Woken::Closed,
            }
        }
    }
}

/// Reads a file of one of the folders, unless it has the hash that it had before.
fn read_file(roots: &[PathBuf], seen: &BTreeMap<PathBuf, u64>, file: &Path) -> Reading {
    let Some(root) = roots.iter().find(|root| file.starts_with(root)) else {
        return Reading::NotOurs;
    };
    let relative = file.strip_prefix(root).unwrap_or(file);
    if !folder::is_resource_file(relative) {
        return Reading::NotOurs;
    }
    let relative = relative.to_string_lossy().into_owned();
    let content = match folder::content(root, file) {
        Content::Gone => return Reading::Gone,
        Content::Text(text) => Ok(text),
        Content::Broken(reason) => Err(reason),
    };
    let hash = hash(&content);
    if seen.get(file) == Some(&hash) {
        return Reading::AsBefore;
    }
    let documents = match &content {
        Ok(text) => documents(file, tenon_model::parse(&relative, text)),
        Err(reason) => vec![unreadable(reason.clone())],
    };
    Reading::New {
        relative,
        content: content.map(Arc::from),
        hash,
        documents,
    }
}

fn documents(file: &Path, parsed: Vec<Parsed>) -> Vec<Document<Arc<Object>>> {
    parsed
        .into_iter()
        .filter_map(|parsed| match parsed {
            Parsed::Object(object) => Some(Document::Object(object.key.clone(), Arc::from(object))),
            Parsed::Rejected {
                key,
                problems,
                rest,
            } => Some(Document::Rejected(key, problems, rest.map(Arc::from))),
            Parsed::Unreadable(problem) => Some(Document::Unreadable(problem)),
            // A kind that is misspelt, or not supported yet, would be looked for in vain.
            Parsed::Ignored { kind }
                if [".solo.io/", "gateway.networking."]
                    .iter()
                    .any(|ours| kind.contains(ours)) =>
            {
                tracing::warn!(file = %file.display(), kind, "skipped: not a kind that is read");
                None
            }
            Parsed::Ignored { kind } => {
                tracing::debug!(file = %file.display(), kind, "skipped");
                None
            }
        })
        .collect()
}

fn unreadable(text: String) -> Document<Arc<Object>> {
    Document::Unreadable(Problem {
        level: ProblemLevel::Error,
        field: String::new(),
        text,
    })
}

fn change(told: Told<Arc<Object>>) -> Change {
    match told {
        Told::Upsert(_, object) => Change::Upsert(object),
        Told::Reject(key, problems, rest) => Change::rejected(key, problems, rest),
        Told::Delete(key) => Change::Delete(key),
    }
}

fn hash(content: &Result<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
