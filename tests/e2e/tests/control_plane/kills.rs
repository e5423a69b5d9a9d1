//! The control plane is killed again and again while resources change and requests flow.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tenon_e2e::{Filter, Load, PlainDouble, deadline};

use super::setting::{Resources, Setting, service, to_answer, virtual_service};
use super::{CLIENTS, changes, route_reloads};

const KILLS: u64 = 8;
/// Upstreams that nobody touches.
const BYSTANDERS: usize = 40;
const CONNECTED: &str = "control_plane.connected_state";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_plane_that_is_killed_at_any_moment_costs_no_request() -> Result<()> {
    killed_under_churn(Resources::new()?, true).await
}

/// Over state of the world an Envoy that comes back cannot say which clusters it has, so one that went meanwhile goes
/// before the routes that left it: here none goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_over_the_state_of_the_world_while_no_cluster_goes() -> Result<()> {
    killed_under_churn(Resources::new()?.state_of_the_world(), false).await
}

async fn killed_under_churn(resources: Resources, removes: bool) -> Result<()> {
    let doubles = [PlainDouble::start().await?, PlainDouble::start().await?];
    let mut churn = Churn {
        services: ["blue", "green"]
            .map(String::from)
            .into_iter()
            .zip(&doubles)
            .map(|(name, double)| {
                let service = service(&name, double.address());
                (name, service)
            })
            .collect(),
        current: 0,
        step: 0,
        removes,
        rerouted: 0,
        removed: 0,
    };
    let mut resources = resources
        .put("blue", &churn.services[0].1)?
        .put("routes", &churn.routes(0, &[]))?;
    for number in 0..BYSTANDERS {
        let name = format!("bystander-{number}");
        resources = resources.put(&name, &service(&name, doubles[0].address()))?;
    }
    let mut setting = resources.start(Filter::So).await?;
    setting.sees("/", |answer| answer.status == 200).await?;
    let admin = setting.envoy.admin();
    admin.stat_until(CONNECTED, |state| state == 1).await?;
    let before = changes(&setting.envoy).await?;
    let load = Load::start(setting.address, "/", CLIENTS);
    load.more(50).await?;
    let mut chance = Chance::new();
    for _ in 0..KILLS {
        for _ in 0..=chance.below(4) {
            churn.step(&setting)?;
            chance.pause(20).await;
        }
        setting.tenon.process().kill()?;
        churn.step(&setting)?;
        setting.tenon.launch_again()?;
        if chance.below(2) == 0 {
            // In the middle of its start.
            chance.pause(100).await;
            setting.tenon.process().kill()?;
            setting.tenon.launch_again()?;
        }
        if chance.below(2) == 0 {
            setting.tenon.ready_again().await?;
            admin.stat_until(CONNECTED, |state| state == 1).await?;
        }
    }
    setting.tenon.ready_again().await?;
    setting.put(
        "routes",
        &churn.routes(churn.current, &[to_answer("/marker", "still there")]),
    )?;
    deadline::until("an edit after all that", || async {
        Ok((setting.ask("/marker").await?.text() == "still there").then_some(()))
    })
    .await?;
    load.more(50).await?;
    let failures = load.stop().await?;
    ensure!(failures.is_empty(), "with {chance:?}: {failures:?}");
    let after = changes(&setting.envoy).await?;
    let rose = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
    for (name, most) in [
        ("cluster_manager.cluster_added", churn.removed + 1),
        ("cluster_manager.cluster_removed", churn.removed),
        ("cluster_manager.cluster_modified", 0),
        ("cluster_manager.cds.update_rejected", 0),
        ("listener_manager.listener_added", 0),
        ("listener_manager.listener_modified", 0),
        ("listener_manager.listener_removed", 0),
        ("listener_manager.listener_in_place_updated", 0),
        ("listener_manager.lds.update_rejected", 0),
    ] {
        ensure!(
            rose(name) <= most,
            "{name} rose by {}, for {most} edits, with {chance:?}",
            rose(name)
        );
    }
    let reloads = route_reloads(&after) - route_reloads(&before);
    ensure!(
        reloads <= churn.rerouted + 1,
        "{reloads} for {} edits, with {chance:?}",
        churn.rerouted
    );
    Ok(())
}

/// Routes go from one service to the other, each of which comes before and goes after.
struct Churn {
    services: Vec<(String, Value)>,
    current: usize,
    step: usize,
    removes: bool,
    rerouted: u64,
    removed: u64,
}

impl Churn {
    fn step(&mut self, setting: &Setting) -> Result<()> {
        let other = 1 - self.current;
        match self.step {
            0 => setting.put(&self.services[other].0, &self.services[other].1)?,
            1 => {
                setting.put("routes", &self.routes(other, &[]))?;
                self.rerouted += 1;
            }
            _ => {
                if self.removes {
                    setting.remove(&self.services[self.current].0)?;
                    self.removed += 1;
                }
                self.current = other;
            }
        }
        self.step = (self.step + 1) % 3;
        Ok(())
    }

    fn routes(&self, to: usize, more: &[Value]) -> Value {
        let name = &self.services[to].0;
        let route = serde_json::json!({
            "matchers": [{"prefix": "/"}],
            "routeAction": {"single": {"upstream": {"name": name, "namespace": "default"}}},
        });
        virtual_service("routes", "*", &[more, &[route]].concat())
    }
}

/// Numbers by xorshift, from a seed that a failure names.
#[derive(Debug)]
struct Chance {
    #[expect(dead_code, reason = "a failure shows it")]
    seed: u64,
    state: u64,
}

impl Chance {
    fn new() -> Self {
        let seed = RandomState::new().hash_one(0) | 1;
        Self { seed, state: seed }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % end
    }

    /// Chooses a moment up to so many milliseconds from now; nothing is waited for.
    async fn pause(&mut self, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(most))).await;
    }
}
