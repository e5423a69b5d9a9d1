//! What the files hold: which resource comes from which file, and its last good form.
//!
//! Generic over the resource (something cheap to clone), so that nothing here depends on what a resource says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use tenon_model::{ObjectKey, Problem, ProblemLevel};

/// What became of one document of a file.
pub(crate) enum Document<T> {
    Object(ObjectKey, T),
    /// What is wrong, and what can be used nevertheless where there is no last good form.
    Rejected(ObjectKey, Vec<Problem>, Option<T>),
    Unreadable(Problem),
}

/// What changed.
#[derive(Debug, PartialEq)]
pub(crate) enum Told<T> {
    Upsert(ObjectKey, T),
    Reject(ObjectKey, Vec<Problem>, Option<T>),
    Delete(ObjectKey),
}

/// What one file says about a resource.
struct Claim<T> {
    /// Its good form, or its last one.
    object: Option<T>,
    /// Why there is no newer one.
    problems: Vec<Problem>,
    /// What can be used of that nevertheless.
    rest: Option<T>,
}

/// A resource, and what was told about it.
struct Entry<T> {
    /// The file that it is taken from.
    owner: Arc<Path>,
    /// All files that have it, sorted; seldom more than one.
    claimants: Vec<Arc<Path>>,
    object: Option<T>,
    problems: Vec<Problem>,
    rest: Option<T>,
}

pub(crate) struct Tree<T> {
    /// Found by a hash: to compare paths takes long, and most begin alike.
    files: HashMap<Arc<Path>, BTreeMap<ObjectKey, Claim<T>>>,
    entries: BTreeMap<ObjectKey, Entry<T>>,
    /// Resources to look at again.
    touched: BTreeSet<ObjectKey>,
}

impl<T: PartialEq + Clone> Tree<T> {
    pub(crate) fn new() -> Self {
        Self {
            files: HashMap::new(),
            entries: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }

    /// In no order that means anything.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(|file| &**file)
    }

    /// The resources of a file.
    pub(crate) fn keys(&self, file: &Path) -> impl Iterator<Item = &ObjectKey> {
        self.files.get(file).into_iter().flat_map(BTreeMap::keys)
    }

    /// Whether a file has a resource in a good form, be it an earlier one.
    pub(crate) fn has_good(&self, file: &Path, key: &ObjectKey) -> bool {
        self.files
            .get(file)
            .and_then(|claims| claims.get(key))
            .is_some_and(|claim| claim.object.is_some())
    }

    /// Takes in the content of a file. What it had and has no more is gone, unless a part of it cannot be read.
    /// `last_good` are forms of an earlier run, for what has no good one. Returns what concerns no resource.
    pub(crate) fn update(
        &mut self,
        file: &Path,
        documents: Vec<Document<T>>,
        last_good: Vec<(ObjectKey, T)>,
    ) -> Vec<Problem> {
        let (path, mut before) = match self.files.remove_entry(file) {
            Some(known) => known,
            None => (Arc::from(file), BTreeMap::new()),
        };
        for (key, object) in last_good {
            before.entry(key).or_insert(Claim {
                object: Some(object),
                problems: Vec::new(),
                rest: None,
            });
        }
        let mut claims: BTreeMap<ObjectKey, Claim<T>> = BTreeMap::new();
        let mut unreadable = Vec::new();
        let mut is_whole = true;
        for document in documents {
            let (key, claim) = match document {
                Document::Object(key, object) => (
                    key,
                    Claim {
                        object: Some(object),
                        problems: Vec::new(),
                        rest: None,
                    },
                ),
                Document::Rejected(key, problems, rest) => {
                    is_whole = false;
                    let object = before.get(&key).and_then(|claim| claim.object.clone());
                    let claim = Claim {
                        object,
                        problems,
                        rest,
                    };
                    (key, claim)
                }
                Document::Unreadable(problem) => {
                    unreadable.push(problem);
                    continue;
                }
            };
            if let Some(first) = claims.get_mut(&key) {
                let text = format!(
                    "{} is twice in {}; the first is used",
                    name(&key),
                    file.display()
                );
                first.problems.push(duplicate(text));
            } else {
                claims.insert(key, claim);
            }
        }
        self.touched.extend(before.keys().cloned());
        // A file that was cut off may end in the middle of any document, and the rest of them may be missing.
        let missing = match (unreadable.is_empty(), is_whole) {
            (false, _) => in_file(file, &unreadable),
            (true, false) => vec![cut_off(file)],
            (true, true) => Vec::new(),
        };
        if !missing.is_empty() {
            for (key, old) in before {
                claims.entry(key).or_insert_with(|| Claim {
                    object: old.object,
                    problems: missing.clone(),
                    rest: old.rest,
                });
            }
        }
        self.touched.extend(claims.keys().cloned());
        self.claim(path, claims);
        in_file(file, &unreadable)
    }

    /// A file is gone.
    pub(crate) fn remove(&mut self, file: &Path) {
        if let Some(claims) = self.files.remove(file) {
            self.touched.extend(claims.into_keys());
        }
    }

    fn claim(&mut self, file: Arc<Path>, claims: BTreeMap<ObjectKey, Claim<T>>) {
        for key in claims.keys() {
            if let Some(entry) = self.entries.get_mut(key) {
                if let Err(place) = entry.claimants.binary_search(&file) {
                    entry.claimants.insert(place, file.clone());
                }
            } else {
                let entry = Entry {
                    owner: file.clone(),
                    claimants: vec![file.clone()],
                    object: None,
                    problems: Vec::new(),
                    rest: None,
                };
                self.entries.insert(key.clone(), entry);
            }
        }
        self.files.insert(file, claims);
    }

    /// What changed since the last call. A resource that moved from one file to another did not.
    pub(crate) fn settle(&mut self) -> Vec<Told<T>> {
        let mut told = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            self.settle_one(key, &mut told);
        }
        told
    }

    fn settle_one(&mut self, key: ObjectKey, told: &mut Vec<Told<T>>) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let files = &self.files;
        let claim_of = |file: &Arc<Path>| files.get(file)?.get(&key);
        let is_alone = entry.claimants.len() == 1 && entry.claimants.contains(&entry.owner);
        if !is_alone {
            entry.claimants.retain(|file| claim_of(file).is_some());
            if !entry.claimants.contains(&entry.owner)
                && let Some(first) = entry.claimants.first()
            {
                entry.owner = first.clone();
            }
        }
        let Some(claim) = claim_of(&entry.owner) else {
            self.entries.remove(&key);
            told.push(Told::Delete(key));
            return;
        };
        let mut problems = claim.problems.clone();
        let others = entry.claimants.iter().filter(|file| **file != entry.owner);
        problems.extend(others.map(|file| {
            duplicate(format!(
                "{} is in {} too; the one in {} is used",
                name(&key),
                file.display(),
                entry.owner.display()
            ))
        }));
        let new_object = claim.object.is_some() && claim.object != entry.object;
        let new_problems = problems != entry.problems;
        let new_rest = claim.rest != entry.rest;
        if new_object {
            entry.object.clone_from(&claim.object);
        }
        let cured = new_problems && problems.is_empty();
        if let Some(object) = &entry.object
            && (new_object || cured)
        {
            told.push(Told::Upsert(key.clone(), object.clone()));
        }
        entry.rest.clone_from(&claim.rest);
        if !problems.is_empty() && (new_object || new_problems || new_rest) {
            told.push(Told::Reject(key, problems.clone(), claim.rest.clone()));
        }
        entry.problems = problems;
    }
}

/// A resource's name in a text.
pub(crate) fn name(key: &ObjectKey) -> String {
    // Not as users write the kind: two have the same name.
    format!("{:?} {}/{}", key.kind, key.namespace, key.name)
}

fn cut_off(file: &Path) -> Problem {
    Problem {
        level: ProblemLevel::Warning,
        field: String::new(),
        text: format!(
            "not in {} any more, which has faults; its last good form stays until they are gone",
            file.display()
        ),
    }
}

fn duplicate(text: String) -> Problem {
    Problem {
        level: ProblemLevel::Error,
        field: "metadata.name".to_owned(),
        text,
    }
}

fn in_file(file: &Path, problems: &[Problem]) -> Vec<Problem> {
    problems
        .iter()
        .map(|problem| Problem {
            text: format!("{}: {}", file.display(), problem.text),
            ..problem.clone()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenon_model::Kind;

    fn key(name: &str) -> ObjectKey {
        ObjectKey {
            kind: Kind::Upstream,
            namespace: "default".into(),
            name: name.into(),
        }
    }

    fn problem(text: &str) -> Problem {
        Problem {
            level: ProblemLevel::Error,
            field: String::new(),
            text: text.into(),
        }
    }

    /// Reads `a=1` as an object, `a!` as a rejected one, anything else as unreadable.
    fn documents(text: &str) -> Vec<Document<String>> {
        text.split_whitespace()
            .map(|word| {
                if let Some((name, value)) = word.split_once('=') {
                    Document::Object(key(name), value.to_owned())
                } else if let Some(name) = word.strip_suffix('!') {
                    Document::Rejected(key(name), vec![problem("bad")], None)
                } else {
                    Document::Unreadable(problem(word))
                }
            })
            .collect()
    }

    struct Fixture(Tree<String>);

    impl Fixture {
        fn new() -> Self {
            Self(Tree::new())
        }

        /// Writes files (`None`: removes them) and shows what is told.
        fn write(&mut self, files: &[(&str, Option<&str>)]) -> Vec<String> {
            for (file, text) in files {
                match text {
                    Some(text) => {
                        self.0.update(Path::new(file), documents(text), vec![]);
                    }
                    None => self.0.remove(Path::new(file)),
                }
            }
            let shown = self.0.settle().into_iter().map(|told| match told {
                Told::Upsert(key, object) => format!("{}={object}", key.name),
                Told::Delete(key) => format!("-{}", key.name),
                Told::Reject(key, problems, _) => {
                    let texts: Vec<_> = problems.into_iter().map(|problem| problem.text).collect();
                    format!("{}! {}", key.name, texts.join(", "))
                }
            });
            shown.collect()
        }
    }

    #[test]
    fn objects_come_change_and_go_with_their_file() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.write(&[("f", Some("a=1 b=1"))]), ["a=1", "b=1"]);
        assert_eq!(fixture.write(&[("f", Some("a=2 b=1"))]), ["a=2"]);
        assert_eq!(fixture.write(&[("f", Some("a=2"))]), ["-b"]);
        assert_eq!(fixture.write(&[("f", None)]), ["-a"]);
    }

    #[test]
    fn an_object_that_moves_to_another_file_does_not_change() {
        let mut fixture = Fixture::new();
        fixture.write(&[("f", Some("a=1"))]);
        assert!(fixture.write(&[("f", None), ("g", Some("a=1"))]).is_empty());
    }

    #[test]
    fn a_rejected_object_says_why_until_it_is_good_again() {
        let mut fixture = Fixture::new();
        fixture.write(&[("f", Some("a=1"))]);
        assert_eq!(fixture.write(&[("f", Some("a!"))]), ["a! bad"]);
        assert_eq!(fixture.write(&[("f", Some("a=1"))]), ["a=1"]);
    }

    #[test]
    fn what_an_unreadable_file_held_stays_with_the_reason() {
        let mut fixture = Fixture::new();
        fixture.write(&[("f", Some("a=1 b=1"))]);
        assert_eq!(
            fixture.write(&[("f", Some("a=2 broken"))]),
            ["a=2", "b! f: broken"]
        );
        assert_eq!(fixture.write(&[("f", Some("a=2"))]), ["-b"]);
    }

    #[test]
    fn what_is_missing_in_a_file_with_faults_stays() {
        let mut fixture = Fixture::new();
        fixture.write(&[("f", Some("a=1 b=1"))]);
        let told = fixture.write(&[("f", Some("a!"))]);
        assert_eq!(told[0], "a! bad");
        assert!(told[1].starts_with("b! not in f any more"), "{told:?}");
        assert_eq!(fixture.write(&[("f", Some("a=1"))]), ["a=1", "-b"]);
    }

    #[test]
    fn a_text_that_names_no_resource_is_complained_about() {
        let mut tree = Tree::new();
        let complaints = tree.update(Path::new("f"), documents("broken"), vec![]);
        assert_eq!(complaints[0].text, "f: broken");
        assert!(tree.settle().is_empty());
    }

    #[test]
    fn the_second_file_with_an_object_is_rejected_and_takes_over_when_the_first_goes() {
        let mut fixture = Fixture::new();
        fixture.write(&[("g", Some("a=1"))]);
        assert_eq!(
            fixture.write(&[("f", Some("a=2"))]),
            ["a! Upstream default/a is in f too; the one in g is used"]
        );
        assert_eq!(fixture.write(&[("g", None)]), ["a=2"]);
    }

    #[test]
    fn an_object_twice_in_a_file_is_rejected_and_the_first_used() {
        let mut fixture = Fixture::new();
        assert_eq!(
            fixture.write(&[("f", Some("a=1 a=2"))]),
            [
                "a=1",
                "a! Upstream default/a is twice in f; the first is used"
            ]
        );
    }

    #[test]
    fn a_form_of_an_earlier_run_stands_in_for_a_broken_one_only() {
        let mut tree = Tree::new();
        let earlier = vec![(key("a"), "old".to_owned()), (key("b"), "old".to_owned())];
        tree.update(Path::new("f"), documents("a! b=new"), earlier);
        assert_eq!(
            tree.settle(),
            [
                Told::Upsert(key("a"), "old".to_owned()),
                Told::Reject(key("a"), vec![problem("bad")], None),
                Told::Upsert(key("b"), "new".to_owned()),
            ]
        );
    }
}
