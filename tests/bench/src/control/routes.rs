//! Requests for the last of many routes of one virtual host, through a real Envoy; beside it the same routes in a list.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;

use anyhow::{Result, ensure};
use tenon_e2e::{Envoy, Tenon};

use super::Selection;
use super::edits::start_envoy;
use super::folder::{Api, Folder};
use super::serving::{resident, serve};
use crate::cpu;
use crate::report::Figure;
use crate::wire::Messages;

/// Requests of a round. Rounds of both take turns, so that what else the machine does meets both.
const REQUESTS: u32 = 500;
const ROUNDS: usize = 21;

pub(super) async fn measure(selection: &Selection<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for routes in [64, 100, 1_000, 10_000] {
        let group = format!("routes/{routes}");
        if !selection.wants(&group) {
            continue;
        }
        let mut tree = Served::start(routes, 0).await?;
        let mut list = Served::start(routes, 1_000_000_000).await?;
        let (mut of_tree, mut of_list) = (Vec::new(), Vec::new());
        tree.ask()?;
        list.ask()?;
        for _ in 0..ROUNDS {
            of_tree.push(tree.ask()?);
            of_list.push(list.ask()?);
        }
        let [_, baseline, _] = quartiles(&mut of_list);
        figures.push(Figure::with_spread(
            format!("{group}/envoy-cpu"),
            "us of Envoy's CPU",
            quartiles(&mut of_tree),
            baseline,
            None,
        ));
        let memory = [resident(tree.process())?, resident(list.process())?];
        let name = format!("{group}/memory");
        figures.push(Figure::at_most(name, "MiB", memory[0], memory[1], None));
    }
    Ok(figures)
}

/// A virtual host of so many routes, served.
struct Served {
    routes: usize,
    envoy: Envoy,
    stream: TcpStream,
    responses: Messages<BufReader<TcpStream>>,
    _tenon: Tenon,
    _folder: Folder,
}

impl Served {
    async fn start(routes: usize, trees_above: usize) -> Result<Self> {
        let folder = Folder::of_routes(routes)?;
        let arguments = ["--trees-above", &trees_above.to_string()];
        let tenon = serve(&folder.path(), &arguments).await?;
        let envoy = start_envoy(&tenon, Api::Edge).await?;
        let address = envoy.listener(&folder.listener()).await?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            routes,
            responses: Messages::new(BufReader::new(stream.try_clone()?)),
            stream,
            envoy,
            _tenon: tenon,
            _folder: folder,
        })
    }

    fn process(&mut self) -> u32 {
        self.envoy.process().id()
    }

    /// Envoy's processor time for a request of a round, in microseconds.
    fn ask(&mut self) -> Result<f64> {
        let path = path(self.routes - 1);
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench.test\r\n\r\n");
        let before = cpu::of(self.process())?;
        for _ in 0..REQUESTS {
            self.stream.write_all(request.as_bytes())?;
            let start = self.responses.start()?;
            ensure!(start.split(' ').nth(1) == Some("201"), "{start}");
            self.responses.finish(|_| ())?;
        }
        let used = cpu::of(self.process())? - before;
        Ok(used.as_secs_f64() * 1e6 / f64::from(REQUESTS))
    }
}

fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len().max(1) - 1;
    [1, 2, 3].map(|quarter| {
        let at = values.get(last * quarter / 4);
        at.copied().unwrap_or(f64::NAN)
    })
}

/// The path of a route.
pub(super) fn path(number: usize) -> String {
    format!("/api/v1/service-{number:05}/items")
}
