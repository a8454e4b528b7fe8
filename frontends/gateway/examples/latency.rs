//! How much longer a request takes for a lookup and a store of either kind, over the loopback, against the same gateway without policies.
//!
//! `cargo run --release -p larder-gateway --example latency -- [REQUESTS] [CLIENTS]`
//!
//! Gateways with and without policies stand in front of one backend. Each client asks them in turn, one request at a time, so that whatever disturbs the
//! machine disturbs both.

// It plays no scenario.
#[allow(dead_code)]
mod stage;

use std::net::SocketAddr;
use std::time::Duration;

use hdrhistogram::Histogram;
use larder_gateway::http::{Call, HeaderMap, Method, append};
use larder_gateway::program::{App, Backends, Client};
use larder_gateway::upstream::Upstream;
use tokio::time::Instant;

use stage::{Asked, Failure, print, run, serve, settings};

fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let n_requests = numbers.next().transpose()?.unwrap_or(10_000);
    let n_clients = numbers.next().transpose()?.unwrap_or(2);
    run(measure(n_requests, n_clients))
}

/// What is compared: each with policies to the one without before it.
const WAYS: [(&str, Policies); 4] = [
    ("document: bare", Policies::Document("nothing.xml")),
    (
        "document: lookup + store",
        Policies::Document("latency.xml"),
    ),
    ("bundle: bare", Policies::Bundle("latency/bare")),
    ("bundle: lookup + store", Policies::Bundle("latency/cached")),
];

#[derive(Clone, Copy)]
enum Policies {
    Document(&'static str),
    Bundle(&'static str),
}

type Times = [Histogram<u64>; WAYS.len()];

async fn measure(n_requests: usize, n_clients: usize) -> Result<(), Failure> {
    let asked = Asked::default();
    let backend = asked
        .backend("backend", |_| (200, "x".repeat(1024)))
        .await?;
    let hosts = [("backend.example", backend)];
    let mut gateways = Vec::new();
    for (_, policies) in WAYS {
        let document = match policies {
            Policies::Document(document) => document,
            Policies::Bundle(_) => "nothing.xml",
        };
        let mut settings = settings(document, "http://backend.example/", &hosts, &[])?;
        if let Policies::Bundle(folder) = policies {
            settings.apigee.bundles = vec![folder.into()];
        }
        gateways.push(serve(&App::new(&settings, |_| ())?).await?);
    }
    ask(&gateways, n_requests / 10, 0).await?;
    let clients = (0..n_clients).map(|client| {
        let gateways = gateways.clone();
        tokio::spawn(async move { ask(&gateways, n_requests / n_clients.max(1), client).await })
    });
    let clients: Vec<_> = clients.collect();
    let mut sum = times()?;
    for client in clients {
        for (sum, times) in sum.iter_mut().zip(client.await??) {
            sum.add(times)?;
        }
    }
    let quantiles = |times: &Histogram<u64>| [0.5, 0.99].map(|at| times.value_at_quantile(at));
    for (way, ((name, _), times)) in WAYS.iter().zip(&sum).enumerate() {
        let (of, bare) = (quantiles(times), quantiles(&sum[way - way % 2]));
        let more = |at: usize| (of[at] as f64 / bare[at] as f64 - 1.0) * 100.0;
        print(&format!(
            "{name:25} p50 {:8.1} us ({:+5.1} %)   p99 {:8.1} us ({:+5.1} %)   {} requests",
            of[0] as f64 / 1e3,
            more(0),
            of[1] as f64 / 1e3,
            more(1),
            times.len(),
        ));
    }
    Ok(())
}

fn times() -> Result<Times, Failure> {
    let new = || Histogram::new_with_bounds(1_000, 60_000_000_000, 3);
    Ok([new()?, new()?, new()?, new()?])
}

/// Asks the gateways in turn; how long each took, in nanoseconds.
async fn ask(gateways: &[SocketAddr], n_rounds: usize, client: usize) -> Result<Times, Failure> {
    let http = Client::new(&Backends::default())?;
    let mut times = times()?;
    for round in 0..n_rounds {
        for turn in 0..gateways.len() {
            // Neither is always the one that comes after the other.
            let way = (round + turn) % gateways.len();
            let mut headers = HeaderMap::new();
            append(
                &mut headers,
                "x-user",
                &format!("u{client}-{}", round % 1000),
            );
            let call = Call {
                method: Method::GET,
                url: format!("http://{}/item", gateways[way]).parse()?,
                headers,
                body: Default::default(),
                within: Duration::from_secs(10),
                connect_within: None,
            };
            let since = Instant::now();
            let answer = http.send(call).await?;
            let took = since.elapsed();
            if answer.status != 200 {
                return Err(format!("{}: {}", answer.status, answer.body_text()).into());
            }
            times[way].record(u64::try_from(took.as_nanos())?)?;
        }
    }
    Ok(times)
}
