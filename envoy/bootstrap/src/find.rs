use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{ENVOY_VARIABLE, ENVOY_VERSION, INSTALL_DIR};

/// Why an Envoy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be started.
    #[error("cannot run {}", path.display())]
    Run {
        /// The binary.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It does not answer `--version` as an Envoy does.
    #[error("{} is no Envoy: --version answered {answer:?}", path.display())]
    NotEnvoy {
        /// The binary.
        path: PathBuf,
        /// What it printed.
        answer: String,
    },
    /// It is older than [`ENVOY_VERSION`], or of another major version.
    #[error("{} is Envoy {found}; Tenon needs {ENVOY_VERSION} or a later 1.x", path.display())]
    Version {
        /// The binary.
        path: PathBuf,
        /// Its version.
        found: String,
    },
}

/// The Envoy to use: the one that `TENON_ENVOY` names (unchecked, so that a wrong name is seen when it is run), else the
/// one that `make setup` installed in the checkout around the running binary or the working directory, else the one on
/// `PATH`.
pub fn find_envoy() -> Option<PathBuf> {
    find_among(&Places {
        named: env::var_os(ENVOY_VARIABLE),
        starts: [env::current_exe(), env::current_dir()]
            .into_iter()
            .flatten()
            .collect(),
        path: env::var_os("PATH"),
    })
}

/// The version that `envoy --version` tells, as `1.40.0`.
///
/// # Errors
/// It cannot be run, or its answer is not an Envoy's.
pub fn envoy_version(envoy: &Path) -> Result<String, Error> {
    let output = Command::new(envoy)
        .arg("--version")
        .stdin(Stdio::null())
        // Ctrl-C reaches the whole group of a terminal: it is meant for the caller, not for the answer.
        .process_group(0)
        .output()
        .map_err(|source| Error::Run {
            path: envoy.to_owned(),
            source,
        })?;
    let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    version_in(&answer)
        .map(str::to_owned)
        .ok_or_else(|| Error::NotEnvoy {
            path: envoy.to_owned(),
            answer,
        })
}

/// Checks that an Envoy can load Tenon's filters, and tells its version.
///
/// # Errors
/// It cannot be run, is no Envoy, or is too old.
pub fn require_envoy_version(envoy: &Path) -> Result<String, Error> {
    let found = envoy_version(envoy)?;
    if is_supported(&found) {
        Ok(found)
    } else {
        Err(Error::Version {
            path: envoy.to_owned(),
            found,
        })
    }
}

struct Places {
    named: Option<OsString>,
    starts: Vec<PathBuf>,
    path: Option<OsString>,
}

fn find_among(places: &Places) -> Option<PathBuf> {
    let named = places.named.as_ref().filter(|name| !name.is_empty());
    named
        .map(PathBuf::from)
        .or_else(|| places.starts.iter().find_map(|start| installed(start)))
        .or_else(|| on_path(places.path.as_ref()?))
}

fn installed(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .map(|folder| folder.join(INSTALL_DIR).join("bin/envoy"))
        .find(|envoy| envoy.is_file())
}

fn on_path(path: &OsString) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join("envoy"))
        .find(|envoy| envoy.is_file())
}

/// `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
fn version_in(answer: &str) -> Option<&str> {
    let (_, build) = answer.split_once("version: ")?;
    build.split('/').nth(1)
}

fn is_supported(version: &str) -> bool {
    match (numbers(version), numbers(ENVOY_VERSION)) {
        (Some(found), Some(pinned)) => found.0 == pinned.0 && found >= pinned,
        _ => false,
    }
}

fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split(['.', '-']).map(str::parse);
    let mut next = || parts.next()?.ok();
    Some((next()?, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put_envoy(folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let envoy = folder.join("envoy");
        fs::write(&envoy, "").unwrap();
        envoy
    }

    #[test]
    fn looks_by_name_then_in_the_checkout_then_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = put_envoy(&folder.path().join("checkout/.tenon/bin"));
        let global = put_envoy(&folder.path().join("usr/bin"));
        let mut places = Places {
            named: Some("/opt/envoy".into()),
            starts: vec![
                folder.path().join("elsewhere"),
                folder.path().join("checkout/target/debug/tenon"),
            ],
            path: Some(
                env::join_paths(["/nowhere".into(), folder.path().join("usr/bin")]).unwrap(),
            ),
        };
        assert_eq!(find_among(&places), Some("/opt/envoy".into()));
        places.named = Some(OsString::new());
        assert_eq!(find_among(&places), Some(checkout));
        places.starts.clear();
        assert_eq!(find_among(&places), Some(global));
        places.path = None;
        assert_eq!(find_among(&places), None);
    }

    #[test]
    fn reads_the_version_out_of_the_answer() {
        let answer = "/usr/bin/envoy  version: 9e5580933/1.40.0/Clean/RELEASE/BoringSSL";
        assert_eq!(version_in(answer), Some("1.40.0"));
        assert_eq!(version_in("hello"), None);
    }

    #[test]
    fn refuses_what_is_older_than_the_pinned_version() {
        for (version, supported) in [
            ("1.40.0", true),
            ("1.40.3", true),
            ("1.41.0-dev", true),
            ("1.39.9", false),
            ("2.0.0", false),
            ("dev", false),
        ] {
            assert_eq!(is_supported(version), supported, "{version}");
        }
    }
}
