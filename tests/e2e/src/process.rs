use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::net::TcpSocket;

use crate::deadline::until;

/// A process that is ended, with all that it started, and reaped when the value is dropped. Its standard error goes to a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    grace: Duration,
}

impl Process {
    /// Starts `command` with its standard output and error in the file `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: Command, log: &Path) -> Result<Self> {
        let output = open_log(log)?;
        Self::start_with_output(command, log, output.into())
    }

    /// The same, with its standard output as given.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_with_output(mut command: Command, log: &Path, output: Stdio) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let errors = open_log(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Of its own, so that what it started ends with it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
            grace: Duration::ZERO,
        })
    }

    /// Gives it this time after SIGTERM, when dropped, before it is killed.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Whether it runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its standard output, once, where it was piped.
    pub fn take_output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Fails, with the end of its log, where it has ended.
    ///
    /// # Errors
    /// It has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let log = self.log();
                let tail = log.lines().rev().take(40).collect::<Vec<_>>();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                bail!("{} ended: {status}\n{tail}", self.name)
            }
        }
    }

    /// Sends SIGTERM to it alone.
    ///
    /// # Errors
    /// It is gone already.
    pub fn terminate(&self) -> Result<()> {
        kill_process(self.pid()?, Signal::TERM)?;
        Ok(())
    }

    /// Kills it (SIGKILL), it alone, and reaps it.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// It has not within the deadline.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        let child = &mut self.child;
        until(&what, || {
            std::future::ready(child.try_wait().map_err(Into::into))
        })
        .await
    }

    fn pid(&self) -> io::Result<Pid> {
        Pid::from_raw(self.child.id() as i32)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }

    fn end(&mut self) -> io::Result<()> {
        let group = self.pid()?;
        if self.child.try_wait()?.is_none() && !self.grace.is_zero() {
            kill_process(group, Signal::TERM)?;
            let end = std::time::Instant::now() + self.grace;
            while self.child.try_wait()?.is_none() && std::time::Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // What is left of the group, whether its first process runs or not.
        match kill_process_group(group, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; the process is gone, or was not ours to end.
        drop(self.end());
    }
}

/// For appending: a process that is started again goes on in the same log.
fn open_log(log: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(log)
}

/// A file that `make build` puts into `dist/`: `TENON_DIST` says where else.
///
/// # Errors
/// It is not there.
pub fn artefact(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("TENON_DIST").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"),
        PathBuf::from,
    );
    let path = folder.join(name);
    path.canonicalize()
        .with_context(|| format!("no {}: run `make build`", path.display()))
}

/// What [`free_port`] holds.
static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// A free port of 127.0.0.1, for who cannot bind port 0 and tell, or has to come back to where it was. Nobody else is given
/// it while this process runs: a socket that is bound and does not listen keeps the kernel from that, and stands in the way
/// of nobody who binds that very port with `SO_REUSEADDR`, as all servers do.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let port = socket.local_addr()?.port();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.push(socket);
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_process_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]);
        let log = folder.path().join("log");
        let process = Process::start(command, &log).unwrap();
        let child = until("the child's id", || {
            let id = process.log().trim().parse::<u32>().ok();
            std::future::ready(Ok(id))
        })
        .await
        .unwrap();
        drop(process);
        until("the end of the child", || {
            std::future::ready(Ok((!runs(child)).then_some(())))
        })
        .await
        .unwrap();
    }

    /// Neither gone nor a zombie that its new parent has not reaped yet.
    fn runs(id: u32) -> bool {
        fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn a_free_port_is_taken_by_nobody_but_who_asks_for_it_again_and_again() {
        use std::net::TcpListener;

        let port = free_port().unwrap();
        let others: Vec<_> = (0..500)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
            .map(|other| other.local_addr().unwrap().port())
            .collect();
        assert!(!others.contains(&port));
        for _ in 0..2 {
            TcpListener::bind(("127.0.0.1", port)).unwrap();
        }
    }

    #[tokio::test]
    async fn the_log_of_a_process_that_ended_is_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such thing >&2; exit 2"]);
        let mut process = Process::start(command, &folder.path().join("log")).unwrap();
        process.ended().await.unwrap();
        let error = process.check_alive().unwrap_err().to_string();
        assert!(error.contains("no such thing"), "{error}");
    }
}
