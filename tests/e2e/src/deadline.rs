//! Waiting, but not for ever.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take in a test. Far more than it needs, on a machine that is ten times slower, too: only something
/// that hangs gets there.
pub const DEADLINE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

/// Waits for `future`; `what` says in the error what did not happen.
///
/// # Errors
/// It did not end within [`DEADLINE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    timeout(DEADLINE, future)
        .await
        .with_context(|| format!("{what}: not within {DEADLINE:?}"))
}

/// Asks again and again until there is an answer, of something that cannot tell by itself (a file, another process).
///
/// # Errors
/// `ask` failed, or there was no answer within [`DEADLINE`].
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = within(what, ask()).await?.context(what.to_owned())? {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        sleep(POLL).await;
    }
}
