//! Requests for the last of many routes of one virtual host, through a real Envoy; beside it the same routes in a list.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;

use anyhow::{Result, ensure};

use super::Selection;
use super::edits::start_envoy;
use super::folder::{Api, Folder};
use super::serving::serve;
use crate::cpu;
use crate::report::Figure;
use crate::wire::Messages;

const REQUESTS: u32 = 5_000;

pub(super) async fn measure(selection: &Selection<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for routes in [100, 1_000, 10_000] {
        let group = format!("routes/{routes}");
        if !selection.wants(&group) {
            continue;
        }
        let tree = run(routes, &[]).await?;
        let list = run(routes, &["--trees-above", "1000000000"]).await?;
        let rows = [("envoy-cpu", "us of Envoy's CPU"), ("memory", "MiB")];
        for (index, (row, unit)) in rows.into_iter().enumerate() {
            let name = format!("{group}/{row}");
            figures.push(Figure::at_most(name, unit, tree[index], list[index], None));
        }
    }
    Ok(figures)
}

/// Envoy's processor time for a request, and its memory.
async fn run(routes: usize, arguments: &[&str]) -> Result<[f64; 2]> {
    let folder = Folder::of_routes(routes)?;
    let tenon = serve(&folder.path(), arguments).await?;
    let mut envoy = start_envoy(&tenon, Api::Edge).await?;
    let address = envoy.listener(&folder.listener()).await?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut responses = Messages::new(BufReader::new(stream.try_clone()?));
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: bench.test\r\n\r\n",
        path(routes - 1)
    );
    let mut ask = |times: u32| -> Result<()> {
        for _ in 0..times {
            stream.write_all(request.as_bytes())?;
            let start = responses.start()?;
            ensure!(start.split(' ').nth(1) == Some("201"), "{start}");
            responses.finish(|_| ())?;
        }
        Ok(())
    };
    ask(REQUESTS / 10)?;
    let process = envoy.process().id();
    let before = cpu::of(process)?;
    ask(REQUESTS)?;
    let used = cpu::of(process)? - before;
    let memory = super::serving::resident(process)?;
    Ok([used.as_secs_f64() * 1e6 / f64::from(REQUESTS), memory])
}

/// The path of a route.
pub(super) fn path(number: usize) -> String {
    format!("/api/v1/service-{number:05}/items")
}
