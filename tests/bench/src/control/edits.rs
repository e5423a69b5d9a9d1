//! Edits that requests see, through a real Envoy.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tenon_bootstrap::{BootstrapOptions, bootstrap};
use tenon_e2e::{Envoy, Tenon};

use super::folder::{Api, Folder, host};
use super::serving::{Mode, resident};
use super::{Selection, share};
use crate::cpu;
use crate::report::Figure;
use crate::wire::Messages;

const EDITS: usize = 300;
/// The usual kind takes its time.
const EDITS_ANEW: usize = 30;
/// Between two looks: less than what is measured, and no load to speak of.
const POLL: Duration = Duration::from_micros(300);
const TOO_LONG: Duration = Duration::from_secs(20);

const RECEIVED: &str = "cluster.tenon_xds.upstream_cx_rx_bytes_total";

/// The rows of a size: what they are of, their units, and the most that they may be.
const ROWS: [(&str, &str, Option<f64>); 8] = [
    ("p50", "ms", Some(5.0)),
    ("p99", "ms", Some(15.0)),
    ("bytes", "bytes an edit", None),
    ("cpu", "s of CPU per 1,000 edits", None),
    ("envoy-cpu", "s of Envoy's CPU per 1,000 edits", None),
    ("first", "ms", None),
    ("memory", "MiB", None),
    ("envoy-memory", "MiB", None),
];

pub(super) async fn measure(selection: &Selection<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let sizes = |api| [100, 1_000, 10_000].map(|hosts| (api, hosts));
    for (api, hosts) in Api::ALL.into_iter().flat_map(sizes) {
        let group = format!("{}edit/{hosts}", api.rows());
        if !selection.wants(&group) {
            continue;
        }
        let anew = run(Mode::Anew, api, hosts, EDITS_ANEW).await?;
        let own = run(Mode::Incremental, api, hosts, EDITS).await?;
        for (row, unit, target) in ROWS {
            let name = format!("{group}/{row}");
            let value = *own.get(row).with_context(|| name.clone())?;
            let baseline = *anew.get(row).with_context(|| name.clone())?;
            // The targets are for large installations.
            let target = target.filter(|_| hosts >= 1_000);
            figures.push(Figure::at_most(name, unit, value, baseline, target));
        }
    }
    Ok(figures)
}

/// The values of a run, by row.
async fn run(
    mode: Mode,
    api: Api,
    hosts: usize,
    edits: usize,
) -> Result<BTreeMap<&'static str, f64>> {
    let folder = Folder::new(api, hosts, EDITS)?;
    let mut tenon = mode.serve(&folder.path()).await?;
    let started = Instant::now();
    let mut envoy = start_envoy(&tenon, api).await?;
    let address = envoy.listener(&folder.listener()).await?;
    let mut prober = Prober::connect(address)?;
    // The last of them, so that all of the table is there.
    prober.wait_for(EDITS.min(hosts) - 1, 200)?;
    let first = started.elapsed();
    let processes = [tenon.process().id(), envoy.process().id()];
    let received = envoy.admin().stat(RECEIVED).await?;
    let before = [cpu::of(processes[0])?, cpu::of(processes[1])?];
    let mut times = Vec::new();
    for number in 0..edits {
        let edited = number % hosts;
        // Another one each time.
        let status = u16::try_from(201 + number / hosts)?;
        folder.edit(edited, status)?;
        let renamed = Instant::now();
        prober.wait_for(edited, status)?;
        times.push(renamed.elapsed());
        // Edits are seldom back to back; the acknowledgement and the status are a part of this one.
        thread::sleep(Duration::from_millis(5));
    }
    let edits = edits as f64;
    let used = |index: usize| -> Result<f64> {
        let used = cpu::of(processes[index])? - before[index];
        Ok(used.as_secs_f64() / edits * 1e3)
    };
    let bytes = envoy.admin().stat(RECEIVED).await? - received;
    times.sort_unstable();
    Ok(BTreeMap::from([
        ("p50", share(&times, 50)),
        ("p99", share(&times, 99)),
        ("bytes", bytes as f64 / edits),
        ("cpu", used(0)?),
        ("envoy-cpu", used(1)?),
        ("first", first.as_secs_f64() * 1e3),
        ("memory", resident(processes[0])?),
        ("envoy-memory", resident(processes[1])?),
    ]))
}

pub(super) async fn start_envoy(tenon: &Tenon, api: Api) -> Result<Envoy> {
    let bootstrap = bootstrap(&BootstrapOptions {
        node_id: "bench".into(),
        node_cluster: "bench".into(),
        role: api.role().into(),
        xds_addr: tenon.ready().xds,
        admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        delta: true,
    });
    Envoy::start(&bootstrap).await
}

/// Asks for hosts, on connections that are kept.
struct Prober {
    address: SocketAddr,
    stream: TcpStream,
    responses: Messages<BufReader<TcpStream>>,
}

impl Prober {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TOO_LONG))?;
        let responses = Messages::new(BufReader::new(stream.try_clone()?));
        Ok(Self {
            address,
            stream,
            responses,
        })
    }

    /// Asks until a virtual service answers with a status.
    fn wait_for(&mut self, number: usize, status: u16) -> Result<()> {
        let started = Instant::now();
        let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", host(number));
        let wanted = status.to_string();
        loop {
            self.stream.write_all(request.as_bytes())?;
            let seen = self.responses.start()?.split(' ').nth(1) == Some(&wanted);
            let mut closes = false;
            self.responses
                .finish(|header| closes |= header == "connection: close")?;
            if seen {
                return Ok(());
            }
            if closes {
                *self = Self::connect(self.address)?;
            }
            ensure!(
                started.elapsed() < TOO_LONG,
                "{} does not answer {status}",
                host(number)
            );
            thread::sleep(POLL);
        }
    }
}
