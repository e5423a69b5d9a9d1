//! Edits, one after the other, while requests flow.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tenon_e2e::{Client, deadline, object};

use crate::resources::{churned, key, lambda, routes, virtual_service};
use crate::site::{Site, keys};
use crate::traffic;

/// How many steps there are until it begins again.
const STEPS: u64 = 12;

#[derive(Default)]
pub(crate) struct Churn {
    generation: u64,
    pub(crate) edits: u64,
    /// Edits that no request saw within the deadline.
    pub(crate) unseen: u64,
    /// How long it took at most until a request saw one.
    pub(crate) slowest: Duration,
}

impl Churn {
    /// Makes the next edit.
    pub(crate) async fn step(&mut self, site: &Site) -> Result<()> {
        let step = self.edits % STEPS;
        self.edits += 1;
        self.generation += 1;
        let generation = self.generation;
        let put = |file: &str, resource: &Value| site.put(file, &resource.to_string());
        // The Lambda service and the key that this round is for.
        let round = (self.edits / STEPS) as usize % 2;
        let address = site.lambdas[round].address();
        match step {
            0 => self.answers(site, false).await?,
            1 => put("secret", &key(&keys()[round]))?,
            // The upstream that everything is asked of breaks, and goes elsewhere once it is whole.
            2 => site.put("lambda", "kind: {")?,
            3 => put("lambda", &lambda("lambda", "lambda", address))?,
            4 => put("extra", &lambda("extra", "lambda", address))?,
            5 => self.answers(site, true).await?,
            // A template that nobody has compiled yet.
            6 => put("site", &routes(generation))?,
            7 => {
                let spec = json!({"static": {"hosts": [{"addr": "127.0.0.1", "port": "many"}]}});
                put("wrong", &object("Upstream", "wrong", spec))?;
            }
            8 => {
                let domain = format!("beside-{generation}.example");
                put("beside", &virtual_service("beside", &domain, &[]))?;
            }
            9 => self.answers(site, false).await?,
            // Nothing leads there any more.
            10 => site.remove("extra")?,
            _ => {
                site.remove("wrong")?;
                site.remove("beside")?;
            }
        }
        Ok(())
    }

    /// Ends the round, so that what comes and goes has gone.
    pub(crate) async fn finish(&mut self, site: &Site) -> Result<()> {
        while !self.edits.is_multiple_of(STEPS) {
            self.step(site).await?;
        }
        self.answers(site, false).await
    }

    /// Edits an answer, with or without a route to what comes and goes, and waits until a request sees it.
    async fn answers(&mut self, site: &Site, extra: bool) -> Result<()> {
        let expected = format!("generation {}", self.generation);
        site.put("churned", &churned(self.generation, extra).to_string())?;
        let start = Instant::now();
        let mut client = Client::http1(site.address).await?;
        let seen = loop {
            let answer = client.send(traffic::churned("/churned")).await?;
            if answer.text() == expected {
                break true;
            }
            if start.elapsed() > deadline::DEADLINE {
                break false;
            }
        };
        if seen {
            self.slowest = self.slowest.max(start.elapsed());
        } else {
            self.unseen += 1;
        }
        Ok(())
    }
}
