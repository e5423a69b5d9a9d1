//! Options that stand in resources of their own: what a route or virtual host says itself counts first, then what those say
//! that it refers to, in their order, then what it takes over from above. Each option counts as a whole, as with Gloo.

use std::sync::Arc;

use tenon_model::{
    Kind, Merge, ObjectKey, OptionsRefs, Problem, ProblemLevel, Route, RouteOptions,
    VirtualHostOptions,
};

/// Where a virtual host's options are.
pub(crate) const HOST: &str = "spec.virtualHost";

/// Finds options.
pub(crate) trait ExternalOptions {
    /// Those of a RouteOption, in the last form that could be read.
    fn route_options(&self, key: &ObjectKey) -> Result<&Arc<RouteOptions>, Absent>;
    /// Those of a VirtualHostOption.
    fn virtual_host_options(&self, key: &ObjectKey) -> Result<&Arc<VirtualHostOptions>, Absent>;
}

/// Why there are no options.
pub(crate) enum Absent {
    /// There is no such object.
    Missing,
    /// None of its forms could be read.
    Rejected,
}

/// What is said at one place: there itself, and by what it refers to.
pub(crate) struct Said<'a, T> {
    /// The place.
    pub(crate) path: &'a str,
    own: &'a Arc<T>,
    found: Vec<Found<T>>,
    /// What was looked at.
    pub(crate) reads: Vec<ObjectKey>,
    /// What is not there.
    pub(crate) problems: Vec<Problem>,
}

struct Found<T> {
    /// Its place among those that are referred to.
    index: usize,
    key: ObjectKey,
    options: Arc<T>,
}

impl<'a> Said<'a, RouteOptions> {
    pub(crate) fn of_route(
        path: &'a str,
        route: &'a Route,
        world: &'a impl ExternalOptions,
    ) -> Self {
        let find = |key: &ObjectKey| world.route_options(key);
        let references = &route.options_config_refs;
        Self::new(path, &route.options, (Kind::RouteOption, references), find)
    }
}

impl<'a> Said<'a, VirtualHostOptions> {
    pub(crate) fn of_host(
        own: &'a Arc<VirtualHostOptions>,
        references: &OptionsRefs,
        world: &'a impl ExternalOptions,
    ) -> Self {
        let find = |key: &ObjectKey| world.virtual_host_options(key);
        Self::new(HOST, own, (Kind::VirtualHostOption, references), find)
    }
}

impl<'a, T: Merge> Said<'a, T> {
    fn new(
        path: &'a str,
        own: &'a Arc<T>,
        (kind, references): (Kind, &OptionsRefs),
        find: impl Fn(&ObjectKey) -> Result<&'a Arc<T>, Absent>,
    ) -> Self {
        let mut said = Self {
            path,
            own,
            found: Vec::new(),
            reads: Vec::new(),
            problems: Vec::new(),
        };
        for (index, reference) in references.delegate_options.iter().enumerate() {
            let key = reference.key(kind);
            said.reads.push(key.clone());
            match (find(&key), references.only.get(&index)) {
                (Ok(options), None) => said.found.push(Found {
                    index,
                    key,
                    options: options.clone(),
                }),
                (Ok(options), Some(names)) => said.found.push(Found {
                    index,
                    key,
                    options: Arc::new(options.only(names)),
                }),
                // It stands there as a whole, too, and is told of there.
                (Err(_), Some(_)) => {}
                // As with Gloo: what refers to it is served without it.
                (Err(Absent::Missing), None) => {
                    let text = format!("{key} does not exist: what it would say is left out");
                    let problem = Problem::warning(said.field(index), text);
                    said.problems.push(problem);
                }
                // It may say who may pass.
                (Err(Absent::Rejected), None) => {
                    let text = format!("{key} is rejected; its status says why");
                    said.problems.push(Problem::error(said.field(index), text));
                }
            }
        }
        said
    }

    fn field(&self, index: usize) -> String {
        format!("{}.optionsConfigRefs.delegateOptions[{index}]", self.path)
    }

    /// Whether something is said that nobody can read.
    pub(crate) fn is_wrong(&self) -> bool {
        let mut problems = self.problems.iter();
        problems.any(|it| it.level == ProblemLevel::Error)
    }

    /// Whether anything is said elsewhere.
    pub(crate) fn is_external(&self) -> bool {
        !self.found.is_empty()
    }

    /// What counts.
    pub(crate) fn options(&self) -> Arc<T> {
        let others = self.found.iter();
        others.fold(self.own.clone(), |first, then| {
            T::shared_or(&first, &then.options)
        })
    }

    /// Whether an option is said here.
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.own.sets(name) || self.found.iter().any(|it| it.options.sets(name))
    }

    /// Has a problem with an option told where that is referred to, if it does not stand at the place itself; what the
    /// status of what it refers to tells of it.
    pub(crate) fn locate(
        &self,
        problem: &mut Problem,
        at: &ObjectKey,
    ) -> Option<(ObjectKey, Problem)> {
        let option = option_of(problem, self.path)?.to_owned();
        let told = self.tell(&option, problem, (self.path, at))?;
        let (index, key) = (told.0, &told.1.0);
        problem.text = format!("{option} of {key}: {}", problem.text);
        problem.field = self.field(index);
        Some(told.1)
    }

    /// What the status tells of what says an option that is wrong at a place, which may be one below; and where that is
    /// referred to.
    pub(crate) fn tell(
        &self,
        option: &str,
        problem: &Problem,
        (path, at): (&str, &ObjectKey),
    ) -> Option<(usize, (ObjectKey, Problem))> {
        let name = name_of(option);
        if self.own.sets(name) {
            return None;
        }
        let found = self.found.iter().find(|it| it.options.sets(name))?;
        let problem = Problem {
            level: problem.level,
            field: format!("spec.options.{option}"),
            text: format!("{} (at {path} of {at})", problem.text),
        };
        Some((found.index, (found.key.clone(), problem)))
    }
}

/// The option that a problem is about, with what is within it, of those at a path.
pub(crate) fn option_of<'a>(problem: &'a Problem, path: &str) -> Option<&'a str> {
    problem.field.strip_prefix(path)?.strip_prefix(".options.")
}

/// The name of an option, without what is within it.
pub(crate) fn name_of(option: &str) -> &str {
    option.split(['.', '[']).next().unwrap_or_default()
}
