//! `tenon serve`, and the control plane that `tenon up` runs too: sources → translation → ADS, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use clap::Args;
use tenon_model::ObjectKey;
use tenon_store::{Batch, Files, Proofs, Source};
use tenon_translate::{Change, ProxyName, State, Status, StatusMessage, Translator, Update};
use tenon_xds::{Cache, Event, Tls, TlsFiles};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::canary::{Answers, Canary};
use crate::cli::{ControlArgs, Filter};
use crate::credentials::Credentials;
use crate::discovery::Discovery;
use crate::metrics::Metrics;
use crate::{admin, module};

/// Without any Envoy, what nobody objected to for so long counts as good.
const UNCONTESTED: Duration = Duration::from_secs(60);

/// How long the first answers to lookups of hosts are waited for.
const WARMING: Duration = Duration::from_secs(5);

/// Where the default Gateway binds.
pub(crate) const DEFAULT_BIND: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8080);

#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) control: ControlArgs,
    #[command(flatten)]
    pub(crate) tls: XdsTlsArgs,
}

/// Who may take configuration and secrets.
#[derive(Args, Clone)]
pub(crate) struct XdsTlsArgs {
    /// Serve ADS over TLS with this certificate (PEM, with intermediates). A rotated file is taken for the next connection.
    #[arg(
        long,
        env = "TENON_XDS_TLS_CERT",
        value_name = "FILE",
        requires = "xds_tls_key"
    )]
    pub(crate) xds_tls_cert: Option<PathBuf>,
    /// The key of --xds-tls-cert (PEM).
    #[arg(
        long,
        env = "TENON_XDS_TLS_KEY",
        value_name = "FILE",
        requires = "xds_tls_cert"
    )]
    pub(crate) xds_tls_key: Option<PathBuf>,
    /// The roots of the Envoys' certificates (PEM). Each Envoy must then have one that names its proxy:
    /// the URI spiffe://<trust domain>/proxy/<namespace>/<proxy> or the DNS name <proxy>.<namespace>.
    #[arg(
        long,
        env = "TENON_XDS_CLIENT_CA",
        value_name = "FILE",
        requires = "xds_tls_cert"
    )]
    pub(crate) xds_client_ca: Option<PathBuf>,
}

impl XdsTlsArgs {
    fn open(self) -> anyhow::Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (self.xds_tls_cert, self.xds_tls_key) else {
            return Ok(None);
        };
        let files = TlsFiles {
            certificate,
            key,
            client_ca: self.xds_client_ca,
        };
        Ok(Some(Tls::open(files).context("no TLS for ADS")?))
    }
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let found = module::find(&args.control.filter);
    if !found.exists {
        tracing::warn!(
            module = %found.path.display(),
            "not on this machine; an Envoy elsewhere must have it under this path (--module)"
        );
    }
    let translator = Translator::new(found.options(DEFAULT_BIND));
    let tls = args.tls.open()?;
    let mut control = ControlPlane::start(&args.control, tls, translator).await?;
    tracing::info!(admin = %control.admin, xds = %control.xds, "serving");
    tokio::select! {
        name = signals.next() => tracing::info!(signal = name, "stopping"),
        ended = control.ended() => ended?,
    }
    control.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The signals that ask to stop. They are caught from the moment this exists.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// What the admin endpoint shows.
pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) metrics: Metrics,
    statuses: Mutex<BTreeMap<ObjectKey, Arc<Status>>>,
    /// Whether the resources were read and translated.
    pub(crate) live: watch::Receiver<bool>,
}

impl Shared {
    pub(crate) fn statuses(&self) -> BTreeMap<ObjectKey, Arc<Status>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectKey, Arc<Status>>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running control plane.
pub(crate) struct ControlPlane {
    pub(crate) admin: SocketAddr,
    pub(crate) xds: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    /// The proxies that have answered to a full configuration, and how many resources they refused.
    pub(crate) settled: watch::Receiver<BTreeMap<ProxyName, usize>>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl ControlPlane {
    /// Starts to serve; returns once the addresses are bound and the resources are read.
    pub(crate) async fn start(
        args: &ControlArgs,
        tls: Option<Tls>,
        translator: Translator,
    ) -> anyhow::Result<Self> {
        let (files, proofs) = open(args)?;
        let bind = async |addr: SocketAddr| {
            let bound = TcpListener::bind(addr).await;
            bound.with_context(|| format!("cannot listen on {addr}"))
        };
        let admin = bind(args.admin_addr).await?;
        let xds = bind(args.xds_addr).await?;
        let addresses = (admin.local_addr()?, xds.local_addr()?);
        if !addresses.0.ip().is_loopback() {
            tracing::warn!(admin = %addresses.0, "the admin endpoint asks for no password, and is not on loopback");
        }
        warn_of_open_ads(addresses.1, tls.as_ref());
        let batches = tokio::task::block_in_place(|| files.watch())?;
        let (cache, events) = Cache::new();
        let (live, is_live) = watch::channel(false);
        let (settles, settled) = watch::channel(BTreeMap::new());
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            cache: cache.clone(),
            metrics: Metrics::default(),
            statuses: Mutex::default(),
            live: is_live,
        });
        let (canary, tried) = tokio::task::block_in_place(|| canary(args))?.unzip();
        let (credentials, resolved) = Credentials::new(cache.clone(), shared.metrics.clone());
        let interval = Duration::from_secs(args.ec2_interval.into());
        let (discovery, found) = Discovery::new(interval);
        let engine = Engine {
            translator,
            anew: args.anew,
            canary,
            shared: shared.clone(),
            credentials,
            discovery,
            warm_by: None,
            is_warm: false,
            settled_untried: BTreeMap::new(),
            live,
            settles,
            edited: None,
            proofs,
            unproven: BTreeSet::new(),
            clients: BTreeMap::new(),
            last_edit: Instant::now(),
            knows_time: false,
        };
        let stopping = |mut stopped: watch::Receiver<bool>| async move {
            // An error means that the control plane is gone, which stops too.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let served = tenon_xds::serve(xds, cache, tls, stopping(stopped.clone()));
        let router = admin::router(shared.clone());
        let administered =
            axum::serve(admin, router).with_graceful_shutdown(stopping(stopped.clone()));
        let servers = vec![
            tokio::spawn(async move { Ok(served.await?) }),
            tokio::spawn(async move { Ok(administered.await?) }),
            tokio::spawn(engine.run(
                batches,
                events,
                ([resolved, found], tried),
                stopping(stopped),
            )),
        ];
        Ok(Self {
            admin: addresses.0,
            xds: addresses.1,
            shared,
            settled,
            stop,
            servers,
        })
    }

    /// Ends when a part of it fails.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        let [ads, admin, engine] = &mut self.servers[..] else {
            anyhow::bail!("the control plane is not running");
        };
        let (part, result) = tokio::select! {
            result = ads => ("ADS", result),
            result = admin => ("the admin endpoint", result),
            result = engine => ("the translation", result),
        };
        result
            .context("it panicked")
            .flatten()
            .with_context(|| format!("{part} ended"))?;
        anyhow::bail!("{part} ended")
    }

    /// Stops to serve; open streams end.
    pub(crate) async fn stop(self) {
        // Nobody listens if all parts have ended.
        let _ = self.stop.send(true);
        for server in self.servers {
            if let Err(error) = server.await.context("it panicked").flatten() {
                tracing::warn!("while stopping: {error:#}");
            }
        }
    }
}

/// What is served holds credentials.
fn warn_of_open_ads(xds: SocketAddr, tls: Option<&Tls>) {
    if xds.ip().is_loopback() {
        return;
    }
    let what = match tls {
        None => "in plain text (--xds-tls-cert, --xds-tls-key)",
        Some(tls) if !tls.knows_clients() => "without asking who they are (--xds-client-ca)",
        Some(_) => return,
    };
    tracing::warn!(%xds, "ADS is not on loopback: whoever reaches it gets configuration and credentials, {what}");
}

fn open(args: &ControlArgs) -> anyhow::Result<(Files, Proofs)> {
    let files = Files::new(&args.folders.config)?;
    let Some(folder) = args.state_dir.clone().or_else(default_state_dir) else {
        tracing::warn!("no --state-dir and no home: last good forms do not outlive a restart");
        return Ok(files.with_proofs());
    };
    let files = files.with_last_good(&folder);
    let files =
        files.with_context(|| format!("cannot keep last good forms in {}", folder.display()))?;
    Ok(files.with_proofs())
}

fn canary(
    args: &ControlArgs,
) -> anyhow::Result<Option<(Canary, mpsc::UnboundedReceiver<Answers>)>> {
    let Some(envoy) = &args.canary else {
        return Ok(None);
    };
    let found = module::find(&args.filter);
    if !found.exists {
        tracing::warn!(
            module = %found.path.display(),
            "not on this machine, so nothing is tried before it is served"
        );
        return Ok(None);
    }
    let modules = match args.filter.filter {
        Filter::So => found.path.parent().map(PathBuf::from),
        Filter::Wasm => None,
    };
    let state = args.state_dir.clone().or_else(default_state_dir);
    let canary = Canary::start(envoy, modules, state.as_deref());
    canary.context("no Envoy to try configuration on").map(Some)
}

fn default_state_dir() -> Option<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("tenon"))
}

/// What proves that something is good.
#[derive(Clone, Copy)]
enum Proof {
    /// There is no Envoy, and nobody objected for long.
    Silence,
    /// An Envoy has accepted all that there was.
    Settled,
    /// An Envoy has accepted some of it.
    Accepted,
}

/// Where changes become configuration. All of it happens in one task, one thing after the other.
struct Engine {
    translator: Translator,
    /// Everything is derived at each change.
    anew: bool,
    canary: Option<Canary>,
    shared: Arc<Shared>,
    credentials: Credentials,
    discovery: Discovery,
    /// Until when the first answers to lookups are waited for, before anything is served.
    warm_by: Option<tokio::time::Instant>,
    /// They have come, or were waited for long enough.
    is_warm: bool,
    /// What an Envoy of each proxy had accepted while something was on trial, as the cache counts changes.
    settled_untried: BTreeMap<ProxyName, u64>,
    live: watch::Sender<bool>,
    settles: watch::Sender<BTreeMap<ProxyName, usize>>,
    /// When the first change was applied that no Envoy has answered to yet.
    edited: Option<Instant>,
    proofs: Proofs,
    /// What changed and was not told to be good yet.
    unproven: BTreeSet<ObjectKey>,
    /// How many Envoys are connected, by proxy.
    clients: BTreeMap<ProxyName, usize>,
    last_edit: Instant,
    /// The translation was told what time it is.
    knows_time: bool,
}

impl Engine {
    async fn run(
        mut self,
        mut batches: mpsc::Receiver<Batch>,
        mut events: mpsc::Receiver<Event>,
        ([mut resolved, mut found], mut tried): (
            [mpsc::UnboundedReceiver<Change>; 2],
            Option<mpsc::UnboundedReceiver<Answers>>,
        ),
        stopped: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        tokio::pin!(stopped);
        let first = tokio::time::Instant::now() + CLOCK;
        let mut clock = tokio::time::interval_at(first, CLOCK);
        loop {
            tokio::select! {
                () = &mut stopped => return Ok(()),
                batch = batches.recv() => {
                    let batch = batch.context("the folders are not watched any more")?;
                    self.edit(batch, &mut batches);
                }
                Some(event) = events.recv() => self.event(event, &mut events),
                Some(change) = resolved.recv() => self.told(change, &mut resolved),
                Some(change) = found.recv() => self.told(change, &mut found),
                Some(answers) = next(&mut tried) => self.answered(answers, &mut tried),
                _ = clock.tick() => {
                    self.apply(vec![now()]);
                }
                () = until(self.warm_by) => {
                    tracing::warn!("hosts are still looked up; what is known is served");
                    self.warm_by = None;
                    self.is_warm = true;
                    self.go_live_once_warm();
                }
            }
        }
    }

    /// Takes in what was told from outside of credentials or hosts.
    fn told(&mut self, change: Change, more: &mut mpsc::UnboundedReceiver<Change>) {
        let mut changes = vec![change];
        while let Ok(change) = more.try_recv() {
            changes.push(change);
        }
        for change in &changes {
            self.discovery.answered(change);
        }
        self.apply(changes);
        if self.warm_by.is_some() {
            self.go_live_once_warm();
        }
    }

    /// Takes in what came of trials.
    fn answered(
        &mut self,
        mut answers: Answers,
        more: &mut Option<mpsc::UnboundedReceiver<Answers>>,
    ) {
        while let Some(Ok(others)) = more.as_mut().map(mpsc::UnboundedReceiver::try_recv) {
            answers.extend(others);
        }
        if let Some(canary) = &mut self.canary {
            for (trial, tried) in answers {
                canary.trials.answer(&trial, tried);
            }
        }
        self.apply(Vec::new());
        if !self.has_trials() {
            // What an Envoy had accepted by then is all that there is, unless something has come since.
            let settled = std::mem::take(&mut self.settled_untried).into_iter();
            let cache = &self.shared.cache;
            let settled = settled.filter(|(proxy, counted)| cache.generation(proxy) == *counted);
            let settled: Vec<_> = settled.map(|(proxy, _)| Change::Settled(proxy)).collect();
            if !settled.is_empty() {
                self.apply(settled);
                self.prove(Proof::Settled);
            }
        }
        self.go_live_once_warm();
    }

    /// Whether something is not served yet because it is tried first.
    fn has_trials(&self) -> bool {
        self.canary.as_ref().is_some_and(|it| !it.trials.is_over())
    }

    /// Begins to serve. An Envoy that outlived its control plane would be told else that there are no hosts, or nothing of
    /// what is on trial.
    fn go_live_once_warm(&mut self) {
        if *self.live.borrow() {
            return;
        }
        self.is_warm |= self.discovery.has_all_answers();
        if !self.is_warm {
            self.warm_by
                .get_or_insert_with(|| tokio::time::Instant::now() + WARMING);
            return;
        }
        self.warm_by = None;
        if !self.has_trials() && !self.live.send_replace(true) {
            self.shared.cache.go_live();
        }
    }

    fn edit(&mut self, batch: Batch, batches: &mut mpsc::Receiver<Batch>) {
        let (mut changes, mut in_use_before) = (Vec::new(), Vec::new());
        let mut next = Some(batch);
        while let Some(batch) = next {
            changes.extend(batch.changes);
            in_use_before.extend(batch.last_good);
            for complaint in batch.complaints {
                tracing::warn!("{complaint}");
            }
            next = batches.try_recv().ok();
        }
        let is_quiet = self.last_edit.elapsed() > UNCONTESTED && !self.has_trials();
        if self.clients.is_empty() && is_quiet {
            self.prove(Proof::Silence);
        }
        if !std::mem::replace(&mut self.knows_time, true) {
            changes.push(now());
        }
        let started = Instant::now();
        self.last_edit = started;
        let upserts = changes.iter().filter_map(|change| match change {
            Change::Upsert(object) => Some(object.key.clone()),
            _ => None,
        });
        self.unproven.extend(upserts);
        let changes = self.resume(changes, in_use_before);
        if self.apply(changes) {
            self.edited.get_or_insert(started);
        }
        self.go_live_once_warm();
    }

    /// Takes in what was in use in an earlier run, before what is newer: if the newer form cannot be used, the earlier one
    /// is there to go back to. Returns what is still to be applied.
    fn resume(&mut self, changes: Vec<Change>, in_use_before: Vec<Change>) -> Vec<Change> {
        let mut earlier: BTreeMap<ObjectKey, Change> = BTreeMap::new();
        for change in in_use_before {
            if let Change::Upsert(object) = &change {
                earlier.insert(object.key.clone(), change);
            }
        }
        if earlier.is_empty() {
            return changes;
        }
        let (mut before, mut newer) = (Vec::new(), Vec::new());
        for change in changes {
            let key = match &change {
                Change::Upsert(object) => Some(&object.key),
                _ => None,
            };
            match key.and_then(|key| earlier.remove(key)) {
                Some(earlier) => {
                    before.push(earlier);
                    newer.push(change);
                }
                None => before.push(change),
            }
        }
        self.apply(before);
        let proxies = self.translator.proxies().iter().cloned();
        let settled = proxies.map(Change::Settled).collect();
        self.apply(settled);
        newer
    }

    /// What is not rejected by now is good, as far as it is proven.
    fn prove(&mut self, by: Proof) {
        let statuses = self.shared.lock();
        let is_rejected = |key: &ObjectKey| {
            let status = statuses.get(key);
            status.is_some_and(|status| status.state == State::Rejected)
        };
        let candidates = self.unproven.iter().filter(|key| !is_rejected(key));
        let good = match by {
            // What is only suspected is not rejected, and not served either.
            Proof::Silence => self.translator.not_held_back(candidates),
            Proof::Settled => self.translator.settled(candidates),
            Proof::Accepted => self.translator.proven(candidates),
        };
        drop(statuses);
        let good: BTreeSet<ObjectKey> = good.into_iter().collect();
        if !good.is_empty() {
            self.unproven.retain(|key| !good.contains(key));
            self.proofs.tell(good);
        }
    }

    fn event(&mut self, event: Event, events: &mut mpsc::Receiver<Event>) {
        let mut changes = Vec::new();
        let mut next = Some(event);
        while let Some(event) = next {
            match event {
                Event::Accepted(accepted) => {
                    let accepted = accepted.into_iter();
                    changes.extend(accepted.map(|(id, it)| Change::Accepted(id, it)));
                }
                event => changes.extend(self.verdict(event)),
            }
            next = events.try_recv().ok();
        }
        let has = |what: fn(&Change) -> bool| changes.iter().any(what);
        let settled = has(|change| matches!(change, Change::Settled(_)));
        let accepted = has(|change| matches!(change, Change::Accepted(..)));
        if !changes.is_empty() {
            self.apply(changes);
        }
        if (settled || accepted) && !self.unproven.is_empty() {
            self.prove(match settled {
                true => Proof::Settled,
                false => Proof::Accepted,
            });
        }
    }

    fn verdict(&mut self, event: Event) -> Option<Change> {
        let metrics = &self.shared.metrics;
        match event {
            Event::Connected { proxy, .. } => {
                metrics.connected();
                let clients = self.clients.entry(proxy.clone()).or_default();
                *clients += 1;
                return (*clients == 1).then_some(Change::Connected(proxy, true));
            }
            Event::Refused(reason) => metrics.refused(reason),
            Event::Disconnected { proxy, .. } => {
                metrics.disconnected();
                let clients = self.clients.get_mut(&proxy)?;
                *clients -= 1;
                if *clients == 0 {
                    self.clients.remove(&proxy);
                    return Some(Change::Connected(proxy, false));
                }
            }
            Event::Pushed { kind } => metrics.pushed(kind),
            Event::Nack { kind } => metrics.nack(kind),
            Event::Settled {
                proxy,
                rejected,
                generation,
                ..
            } => {
                if let Some(edited) = self.edited.take() {
                    metrics.acknowledged(edited.elapsed());
                }
                self.settles.send_modify(|settled| {
                    settled.insert(proxy.clone(), rejected);
                });
                // While something is refused, what takes its place is still to be answered to; and what came since, too.
                let is_all = rejected == 0 && self.shared.cache.generation(&proxy) == generation;
                if is_all && self.has_trials() {
                    self.settled_untried.insert(proxy, generation);
                    return None;
                }
                return is_all.then_some(Change::Settled(proxy));
            }
            Event::Rejected { id, form, text } => return Some(Change::Refused(id, form, text)),
            Event::Accepted(_) => {}
            Event::Recovered(id) => return Some(Change::Verdict(id, None)),
        }
        None
    }

    /// Translates changes and serves what they change; whether that is anything.
    fn apply(&mut self, changes: Vec<Change>) -> bool {
        let started = Instant::now();
        // A large folder may take a while: other tasks move on.
        let mut update = tokio::task::block_in_place(|| self.translate(changes));
        self.shared.metrics.translated(started);
        tracing::debug!(
            resources = update.resources.len(),
            credentials = update.credentials.len(),
            lookups = update.lookups.len(),
            statuses = update.statuses.len(),
            "translated"
        );
        // Who sees by a request that a change has arrived finds its status.
        self.note(std::mem::take(&mut update.statuses));
        // Secrets before all else: what refers to them must find them.
        self.credentials.apply(&update.credentials);
        self.discovery.apply(&update.lookups);
        let proxies = self.translator.proxies().iter().cloned();
        self.shared.cache.set_proxies(proxies);
        self.shared.cache.apply(&update);
        !update.resources.is_empty()
    }

    /// What can be served of what changes change; what has to be tried before is given to the canary.
    fn translate(&mut self, changes: Vec<Change>) -> Update {
        if let Some(canary) = &mut self.canary {
            let (update, trials) = canary
                .trials
                .apply(&mut self.translator, changes, self.anew);
            canary.ask(trials);
            return update;
        }
        match self.anew {
            true => self.translator.apply_anew(changes),
            false => self.translator.apply(changes),
        }
    }

    fn note(&self, changed: BTreeMap<ObjectKey, Option<Arc<Status>>>) {
        let mut statuses = self.shared.lock();
        for (key, status) in changed {
            let state = status.as_ref().map(|status| status.state);
            let kind = key.kind;
            if let Some(status) = &status {
                log(&key, status, statuses.get(&key).map(|it| &**it));
            }
            let before = match status {
                Some(status) => statuses.insert(key, status),
                None => statuses.remove(&key),
            };
            let before = before.map(|status| status.state);
            self.shared.metrics.object(kind, before, state);
        }
    }
}

/// Waits until a time, if there is one, else for ever.
/// How often certificates are looked at that may have expired.
const CLOCK: Duration = Duration::from_secs(60 * 60);

/// What time it is, for the translation.
pub(crate) fn now() -> Change {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    Change::Time(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// The next answers, if any are to come.
async fn next(tried: &mut Option<mpsc::UnboundedReceiver<Answers>>) -> Option<Answers> {
    match tried {
        Some(tried) => tried.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Logs what is new in a status.
fn log(key: &ObjectKey, status: &Status, before: Option<&Status>) {
    // What it is told again once that is known.
    if status.state == State::Pending {
        return;
    }
    let is_new =
        |message: &&StatusMessage| before.is_none_or(|before| !before.messages.contains(message));
    for message in status.messages.iter().filter(is_new) {
        tracing::warn!(
            kind = %key.kind,
            namespace = &*key.namespace,
            name = &*key.name,
            field = message.field,
            "{}",
            message.text
        );
    }
}
