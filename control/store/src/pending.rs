//! What the file system told, until it is quiet enough to look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

use crate::folder::is_resource_file;

/// Editors and `cp` make several events of one edit.
const QUIET: Duration = Duration::from_millis(8);
/// After a file was closed or renamed there is seldom more to come.
const QUIET_AFTER_CLOSE: Duration = Duration::from_millis(2);
/// A stream of events is looked at this often.
const AT_MOST: Duration = Duration::from_millis(100);
/// A file that is being written is left alone this long.
const WRITING: Duration = Duration::from_millis(500);

/// A file that was found broken, perhaps half-written, is read again after this long.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(crate) struct Pending {
    /// Everything has to be looked at: folders came, went or were swapped, or events were lost.
    all: bool,
    paths: BTreeSet<PathBuf>,
    /// Files that are open for writing, and until when they are left alone.
    writing: BTreeMap<PathBuf, Instant>,
    first: Option<Instant>,
    due: Option<Instant>,
}

/// What to look at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) all: bool,
    pub(crate) paths: BTreeSet<PathBuf>,
}

impl Pending {
    /// Takes in an event. Reading a file makes events too; they mean nothing.
    pub(crate) fn add(&mut self, event: &Event, roots: &[PathBuf], now: Instant) {
        if event.need_rescan() {
            self.all = true;
            self.wait(QUIET, now);
        }
        for path in &event.paths {
            match event.kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                    self.writing.remove(path);
                    self.look_at(path, roots, QUIET_AFTER_CLOSE, now);
                }
                EventKind::Access(_) => {}
                EventKind::Modify(ModifyKind::Data(_)) => {
                    if cfg!(target_os = "linux") {
                        self.writing.insert(path.clone(), now + WRITING);
                    }
                    self.look_at(path, roots, QUIET, now);
                }
                EventKind::Modify(ModifyKind::Name(_)) => {
                    self.writing.remove(path);
                    self.look_at(path, roots, QUIET_AFTER_CLOSE, now);
                }
                _ => self.look_at(path, roots, QUIET, now),
            }
        }
    }

    /// Has files looked at again in a moment.
    pub(crate) fn look_again<'a>(
        &mut self,
        files: impl Iterator<Item = &'a PathBuf>,
        now: Instant,
    ) {
        for file in files {
            self.paths.insert(file.clone());
            self.wait(AGAIN, now);
        }
    }

    fn look_at(&mut self, path: &Path, roots: &[PathBuf], quiet: Duration, now: Instant) {
        let below = roots.iter().find_map(|root| path.strip_prefix(root).ok());
        match below {
            Some(relative) if is_resource_file(relative) => {
                self.paths.insert(path.to_owned());
            }
            // Kubernetes swaps a link that begins so; other hidden files are editors' own.
            Some(relative) if relative.to_string_lossy().starts_with("..") => self.all = true,
            Some(relative) if crate::folder::is_hidden(relative) => return,
            // A folder, or a file that has another meaning: told apart when it is looked at.
            Some(_) => {
                self.paths.insert(path.to_owned());
            }
            None => return,
        }
        self.wait(quiet, now);
    }

    fn wait(&mut self, quiet: Duration, now: Instant) {
        let latest = *self.first.get_or_insert(now) + AT_MOST;
        self.due = Some(latest.min(now + quiet));
    }

    /// When to look next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What to look at now; files that are being written wait for their end.
    pub(crate) fn take(&mut self, now: Instant) -> Look {
        self.writing.retain(|_, until| *until > now);
        let (later, paths) = std::mem::take(&mut self.paths)
            .into_iter()
            .partition(|path| self.writing.contains_key(path));
        self.paths = later;
        self.first = None;
        self.due = self.writing.values().min().copied();
        Look {
            all: std::mem::take(&mut self.all),
            paths,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange};

    struct Fixture {
        pending: Pending,
        start: Instant,
    }

    const CREATE: EventKind = EventKind::Create(CreateKind::File);
    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const OPEN: EventKind = EventKind::Access(AccessKind::Open(AccessMode::Any));

    impl Fixture {
        fn new() -> Self {
            Self {
                pending: Pending::default(),
                start: Instant::now(),
            }
        }

        fn add(&mut self, ms: u64, kind: EventKind, path: &str) {
            let event = Event::new(kind).add_path(Path::new("/r").join(path));
            let now = self.start + Duration::from_millis(ms);
            self.pending.add(&event, &[PathBuf::from("/r")], now);
        }

        fn due(&self) -> Option<u128> {
            let due = self.pending.due()?;
            Some(due.duration_since(self.start).as_millis())
        }

        fn take(&mut self, ms: u64) -> Vec<String> {
            let look = self.pending.take(self.start + Duration::from_millis(ms));
            let paths = look.paths.iter().map(|path| path.display().to_string());
            look.all
                .then(|| "all".to_owned())
                .into_iter()
                .chain(paths)
                .collect()
        }
    }

    #[test]
    fn a_closed_file_is_looked_at_soon_and_a_burst_at_the_latest_after_a_while() {
        let mut fixture = Fixture::new();
        fixture.add(0, CREATE, "a.yaml");
        fixture.add(0, WRITE, "a.yaml");
        assert_eq!(fixture.due(), Some(8));
        fixture.add(1, CLOSE, "a.yaml");
        assert_eq!(fixture.due(), Some(3));
        for ms in 2..98 {
            fixture.add(ms, CREATE, "b.yaml");
        }
        assert_eq!(fixture.due(), Some(100));
        assert_eq!(fixture.take(100), ["/r/a.yaml", "/r/b.yaml"]);
        assert_eq!(fixture.due(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_being_written_is_left_alone_until_it_is_closed() {
        let mut fixture = Fixture::new();
        fixture.add(0, WRITE, "a.yaml");
        assert!(fixture.take(8).is_empty());
        fixture.add(20, CLOSE, "a.yaml");
        assert_eq!(fixture.take(22), ["/r/a.yaml"]);
        fixture.add(30, WRITE, "a.yaml");
        assert!(fixture.take(38).is_empty());
        assert_eq!(fixture.due(), Some(530));
        assert_eq!(fixture.take(531), ["/r/a.yaml"]);
    }

    #[test]
    fn reading_and_editors_own_files_mean_nothing_and_swapped_links_mean_all() {
        let mut fixture = Fixture::new();
        fixture.add(0, OPEN, "a.yaml");
        fixture.add(0, CREATE, ".a.yaml.swp");
        assert_eq!(fixture.due(), None);
        fixture.add(0, CREATE, "..data");
        assert_eq!(fixture.take(8), ["all"]);
    }
}
