//! Runs the binary, on ports of its own choice.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

pub(crate) const UPSTREAM: &str = "\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: web, namespace: default}
spec: {static: {hosts: [{addr: 127.0.0.1, port: 1}]}}
";
pub(crate) const BROKEN_UPSTREAM: &str = "\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: broken, namespace: default}
spec: {static: {hosts: [{addr: 127.0.0.1, port: many}]}}
";
pub(crate) const ROUTES: &str = "\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: routes, namespace: default}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /fn}]
      routeAction: {single: {upstream: {name: fn, namespace: default}, destinationSpec: {aws: {logicalName: hello}}}}
    - matchers: [{prefix: /}]
      routeAction: {single: {upstream: {name: web, namespace: default}}}
";
pub(crate) const FUNCTIONS: &str = "\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: fn, namespace: default}
spec:
  aws:
    region: us-east-1
    secretRef: {name: keys, namespace: default}
    lambdaFunctions: [{logicalName: hello, lambdaFunctionName: hello}]
";
pub(crate) const SECRET_VALUES: [&str; 2] = ["AKIDOFATEST", "the-secret-of-a-test"];
pub(crate) const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: default}
stringData: {aws_access_key_id: AKIDOFATEST, aws_secret_access_key: the-secret-of-a-test}
";

pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// As editors do: a new file, renamed over the old one.
pub(crate) fn replace(folder: &TempDir, name: &str, text: &str) {
    let new = folder.path().join(".new");
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.path().join(name)).unwrap();
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenon"));
    command.args(args);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("AWS_") || name.starts_with("TENON_") {
            command.env_remove(&*name);
        }
    }
    command.env_remove("RUST_LOG").env_remove("FILTER");
    command
}

pub(crate) fn tenon(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A running `tenon serve`.
pub(crate) struct Serve {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub(crate) log: String,
    pub(crate) admin: String,
    pub(crate) xds: String,
    _state: TempDir,
}

impl Serve {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_in(folder, &[])
    }

    /// With variables of the environment; those of AWS are the only ones that it sees of AWS.
    pub(crate) fn start_in(folder: &Path, environment: &[(&str, &str)]) -> Self {
        let state = TempDir::new().unwrap();
        let any = "127.0.0.1:0";
        let folder = folder.to_str().unwrap();
        let mut child = command(&[
            "serve",
            "-f",
            folder,
            "--admin-addr",
            any,
            "--xds-addr",
            any,
        ])
        .arg("--state-dir")
        .arg(state.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(environment.iter().copied())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut serve = Self {
            child,
            stderr,
            log: String::new(),
            admin: String::new(),
            xds: String::new(),
            _state: state,
        };
        let line = serve.wait_for_log("serving admin=");
        let value = |name: &str| {
            let rest = line.split_once(&format!("{name}=")).unwrap().1;
            rest.split_whitespace().next().unwrap().to_owned()
        };
        (serve.admin, serve.xds) = (value("admin"), value("xds"));
        serve.wait_for("/readyz", |answer| answer == "ok\n");
        serve
    }

    /// Reads the log until a line with this text comes.
    pub(crate) fn wait_for_log(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {part:?}:\n{}", self.log);
            self.log += &line;
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: tenon\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Asks until the answer is the expected one; bounded by the number of questions.
    pub(crate) fn wait_for(&self, path: &str, expected: impl Fn(&str) -> bool) -> String {
        for _ in 0..20_000 {
            let answer = self.get(path);
            if expected(&answer) {
                return answer;
            }
        }
        panic!("{path} stays {}", self.get(path));
    }

    /// Asks it to stop; its exit code and all of its log.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        self.stderr.read_to_string(&mut self.log).unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), std::mem::take(&mut self.log))
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
