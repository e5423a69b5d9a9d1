//! Folders on a real file system, watched.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tenon_model::{Kind, ObjectKey, Spec, UpstreamType};
use tenon_store::{Batch, Files, Source};
use tenon_translate::Change;
use tokio::sync::mpsc;

/// Long enough for a slow machine; a change is told within milliseconds.
const PATIENCE: Duration = Duration::from_secs(120);

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// As editors do: a new file, renamed over the old one.
    fn replace(&self, file: &str, text: &str) {
        let new = self.write(&format!(".{file}.new"), text);
        fs::rename(new, self.path().join(file)).unwrap();
    }

    fn files(&self) -> Files {
        Files::new(&[self.path().to_owned()]).unwrap()
    }

    fn watch(&self) -> Watched {
        Watched::of(self.files())
    }

    fn read(&self) -> Vec<String> {
        shown(&self.files().read().unwrap())
    }
}

struct Watched(mpsc::Receiver<Batch>);

impl Watched {
    fn of(files: Files) -> Self {
        Self(files.watch().unwrap())
    }

    async fn next(&mut self) -> Vec<String> {
        let next = tokio::time::timeout(PATIENCE, self.0.recv()).await;
        shown(
            &next
                .expect("nothing is told")
                .expect("not watched any more"),
        )
    }

    /// Shows that nothing else was told: the next thing is that a new object comes.
    async fn nothing_but(&mut self, folder: &Folder, marker: &str) {
        folder.replace(&format!("{marker}.yaml"), &upstream(marker, 1));
        assert_eq!(self.next().await, [format!("+{marker}")]);
    }
}

fn shown(batch: &Batch) -> Vec<String> {
    let changes = batch.changes.iter().map(|change| match change {
        Change::Upsert(object) => format!("+{}", object.key.name),
        Change::Delete(key) => format!("-{}", key.name),
        Change::Reject(key, _) => format!("!{}", key.name),
        Change::RejectInPart(rest, _) => format!("!{}", rest.key.name),
        other => panic!("{other:?}"),
    });
    changes.collect()
}

fn upstream(name: &str, port: u16) -> String {
    format!(
        "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {{name: {name}, namespace: default}}\n\
         spec: {{static: {{hosts: [{{addr: 127.0.0.1, port: {port}}}]}}}}\n"
    )
}

#[test]
fn yaml_and_json_of_all_folders_are_read_and_other_files_are_not() {
    let folder = Folder::new();
    folder.write("a.yaml", &upstream("a", 1));
    folder.write("deep/er/b.yml", &upstream("b", 1));
    folder.write(
        "upstreams/default/c.yaml",
        "static: {hosts: [{addr: 127.0.0.1, port: 1}]}",
    );
    folder.write("notes.txt", "not: [");
    folder.write(".hidden.yaml", &upstream("d", 1));
    assert_eq!(folder.read(), ["+a", "+b", "+c"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_with_its_name() {
    let error = Files::new(&[PathBuf::from("/nowhere/at/all")])
        .err()
        .unwrap();
    assert!(
        error.to_string().starts_with("/nowhere/at/all: "),
        "{error}"
    );
}

#[tokio::test]
async fn edits_new_files_renames_and_removals_are_told() {
    let folder = Folder::new();
    folder.write("a.yaml", &upstream("a", 1));
    let mut watched = folder.watch();
    assert_eq!(watched.next().await, ["+a"]);
    folder.replace("a.yaml", &upstream("a", 2));
    assert_eq!(watched.next().await, ["+a"]);
    folder.write("a.yaml", &upstream("a", 3));
    assert_eq!(watched.next().await, ["+a"]);
    folder.write("new/b.yaml", &upstream("b", 1));
    assert_eq!(watched.next().await, ["+b"]);
    fs::rename(folder.path().join("new"), folder.path().join("moved")).unwrap();
    watched.nothing_but(&folder, "marker").await;
    fs::remove_dir_all(folder.path().join("moved")).unwrap();
    assert_eq!(watched.next().await, ["-b"]);
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    assert_eq!(watched.next().await, ["-a"]);
}

#[tokio::test]
async fn a_touched_file_changes_nothing() {
    let folder = Folder::new();
    folder.write("a.yaml", &upstream("a", 1));
    let mut watched = folder.watch();
    assert_eq!(watched.next().await, ["+a"]);
    folder.replace("a.yaml", &upstream("a", 1));
    watched.nothing_but(&folder, "marker").await;
    folder.write("a.yaml", &upstream("a", 1));
    watched.nothing_but(&folder, "another").await;
}

#[tokio::test]
async fn a_broken_or_empty_file_keeps_what_it_held() {
    let folder = Folder::new();
    let both = upstream("a", 1) + "---\n" + &upstream("b", 1);
    folder.write("a.yaml", &both);
    let mut watched = folder.watch();
    assert_eq!(watched.next().await, ["+a", "+b"]);
    folder.replace("a.yaml", "");
    assert_eq!(watched.next().await, ["!a", "!b"]);
    folder.replace("a.yaml", &both[..both.len() / 4]);
    assert_eq!(watched.next().await, ["!a", "!b"]);
    folder.replace("a.yaml", &both);
    assert_eq!(watched.next().await, ["+a", "+b"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_swapped_data_link_of_a_config_map_is_one_change() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    let file = |version: &str| format!("..{version}/a.yaml");
    folder.write(
        &file("one"),
        &(upstream("a", 1) + "---\n" + &upstream("b", 1)),
    );
    symlink("..one", folder.path().join("..data")).unwrap();
    symlink("..data/a.yaml", folder.path().join("a.yaml")).unwrap();
    let mut watched = folder.watch();
    assert_eq!(watched.next().await, ["+a", "+b"]);
    folder.write(
        &file("two"),
        &(upstream("a", 2) + "---\n" + &upstream("c", 1)),
    );
    symlink("..two", folder.path().join("..data_tmp")).unwrap();
    fs::rename(
        folder.path().join("..data_tmp"),
        folder.path().join("..data"),
    )
    .unwrap();
    assert_eq!(watched.next().await, ["+a", "-b", "+c"]);
    fs::remove_dir_all(folder.path().join("..one")).unwrap();
    watched.nothing_but(&folder, "marker").await;
}

#[tokio::test]
async fn a_folder_that_vanishes_takes_nothing_away() {
    let outer = Folder::new();
    outer.write("root/a.yaml", &upstream("a", 1));
    let root = outer.path().join("root");
    let mut watched = Watched::of(Files::new(std::slice::from_ref(&root)).unwrap());
    assert_eq!(watched.next().await, ["+a"]);
    fs::rename(&root, outer.path().join("elsewhere")).unwrap();
    let told = watched.next().await;
    assert!(told.iter().all(|change| change == "!a"), "{told:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_a_swapped_link_is_followed() {
    use std::os::unix::fs::symlink;

    let outer = Folder::new();
    outer.write("one/a.yaml", &upstream("a", 1));
    outer.write("two/b.yaml", &upstream("b", 1));
    let root = outer.path().join("current");
    symlink("one", &root).unwrap();
    let mut watched = Watched::of(Files::new(std::slice::from_ref(&root)).unwrap());
    assert_eq!(watched.next().await, ["+a"]);
    symlink("two", outer.path().join("next")).unwrap();
    fs::rename(outer.path().join("next"), &root).unwrap();
    assert_eq!(watched.next().await, ["-a", "+b"]);
    outer.write("two/c.yaml", &upstream("c", 1));
    assert_eq!(watched.next().await, ["+c"]);
}

#[test]
fn a_resource_in_two_files_is_rejected_and_the_first_used() {
    let folder = Folder::new();
    folder.write("a.yaml", &upstream("a", 1));
    folder.write("b.yaml", &upstream("a", 2));
    let batch = folder.files().read().unwrap();
    assert_eq!(shown(&batch), ["+a", "!a"]);
    let Change::Reject(_, problems) = &batch.changes[1] else {
        panic!("not rejected")
    };
    for file in ["a.yaml", "b.yaml"] {
        let path = folder.path().join(file).display().to_string();
        assert!(problems[0].text.contains(&path), "{}", problems[0].text);
    }
}

#[tokio::test]
async fn the_last_good_form_outlives_a_restart() {
    let state = Folder::new();
    let folder = Folder::new();
    let with_state = || folder.files().with_last_good(state.path()).unwrap();
    let both = upstream("a", 1) + "---\n" + &upstream("b", 1);
    folder.write("a.yaml", &both);
    let mut watched = Watched::of(with_state());
    assert_eq!(watched.next().await, ["+a", "+b"]);
    // What is told about the next change shows that the first one was kept.
    folder.replace("c.yaml", &upstream("c", 1));
    assert_eq!(watched.next().await, ["+c"]);
    drop(watched);
    folder.replace("a.yaml", "kind: [");
    assert_eq!(
        shown(&with_state().read().unwrap()),
        ["+a", "!a", "+b", "!b", "+c"]
    );
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    assert_eq!(shown(&with_state().read().unwrap()), ["+c"]);
    folder.replace("a.yaml", "kind: [");
    assert_eq!(
        shown(&with_state().read().unwrap()),
        ["+c"],
        "a file that was gone has no past"
    );
}

/// What was in use in an earlier run, with its port.
fn in_use_before(batch: &Batch) -> Vec<String> {
    let ports = batch.last_good.iter().map(|change| {
        let Change::Upsert(object) = change else {
            panic!("{change:?}")
        };
        let Spec::Upstream(upstream) = &object.spec else {
            panic!("{object:?}")
        };
        let UpstreamType::Static(fixed) = &upstream.kind else {
            panic!("{upstream:?}")
        };
        format!("{} {}", object.key.name, fixed.hosts[0].port)
    });
    let mut ports: Vec<_> = ports.collect();
    ports.sort();
    ports
}

#[tokio::test]
async fn a_form_that_was_not_proven_does_not_take_the_place_of_one_that_was() {
    let state = Folder::new();
    let folder = Folder::new();
    let with_state = || {
        let files = folder.files().with_last_good(state.path()).unwrap();
        files.with_proofs()
    };
    let key = |name: &str| ObjectKey {
        kind: Kind::Upstream,
        namespace: "default".into(),
        name: name.into(),
    };
    let proven = |names: &[&str]| names.iter().map(|name| key(name)).collect();
    let both = |a: u16, b: u16| upstream("a", a) + "---\n" + &upstream("b", b);
    folder.write("both.yaml", &both(1, 1));
    let (files, proofs) = with_state();
    let mut watched = Watched::of(files);
    assert_eq!(watched.next().await, ["+a", "+b"]);
    proofs.tell(proven(&["a", "b"]));
    folder.replace("both.yaml", &both(2, 2));
    assert_eq!(watched.next().await, ["+a", "+b"]);
    proofs.tell(proven(&["a"]));
    folder.replace("both.yaml", &both(3, 3));
    assert_eq!(watched.next().await, ["+a", "+b"]);
    // What is told about the next change shows that what was told before it was taken in.
    watched.nothing_but(&folder, "c").await;
    drop(watched);

    let batch = with_state().0.read().unwrap();
    assert_eq!(shown(&batch), ["+a", "+b", "+c"]);
    assert_eq!(in_use_before(&batch), ["a 2", "b 1"]);

    // Nothing is told twice of what is still the same.
    folder.replace("both.yaml", &both(2, 1));
    let (files, proofs) = with_state();
    let mut watched = Watched::of(files);
    assert_eq!(watched.next().await, ["+a", "+b", "+c"]);
    proofs.tell(proven(&["a", "b", "c"]));
    watched.nothing_but(&folder, "d").await;
    drop(watched);
    let batch = with_state().0.read().unwrap();
    assert_eq!(in_use_before(&batch), Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn last_good_forms_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let state = Folder::new();
    let folder = Folder::new();
    folder.write("a.yaml", &upstream("a", 1));
    let mut watched = Watched::of(folder.files().with_last_good(state.path()).unwrap());
    assert_eq!(watched.next().await, ["+a"]);
    folder.replace("b.yaml", &upstream("b", 1));
    assert_eq!(watched.next().await, ["+b"]);
    let kept = state.path().join("last-good");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept), 0o700);
    let mut files = fs::read_dir(&kept)
        .unwrap()
        .map(|file| file.unwrap().path());
    let first = files.next().expect("nothing is kept");
    assert_eq!(mode(&first), 0o600);
}
