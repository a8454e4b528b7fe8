//! From the section to the servers.
//!
//! # Idea         each setting is looked at once, where it is used, and what is wrong names it
//! # Costs        none but at the start
//! # Invariants   none of its own
//! # Not here     what the settings are

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder::{LevelError, Levels, Rate};
use larder_valkey::{
    Address, Breaking, Config, ConfigError, Protocol, Servers, Tls, Valkey, ValkeyStats,
};
use metrics::{counter, gauge};

use super::rates::Rates;
use super::watch::Watch;
use super::{Level, LevelKind, LevelSettingsError, LevelTls, Take, Tier};

type Refused = LevelSettingsError;

pub(super) fn start(of: &Level) -> Result<Tier, Refused> {
    let servers = Valkey::new(config(of)?).map_err(refused)?;
    let levels = Levels::new(servers.clone(), of.name_space.as_bytes());
    let (asked, within) = (servers.clone(), of.timeout);
    let names = of.servers.join(", ");
    let watch = Watch::start(names, move || {
        let why = |error: LevelError| asked.last_fault().unwrap_or_else(|| error.to_string());
        asked.check(within).map_err(why)
    });
    let counted = levels.clone();
    let told = servers.clone();
    let publish = move || {
        counted.stats().publish(&[]);
        gauge!("larder_level_up").set(f64::from(u8::from(watch.is_up())));
        gauge!("larder_level_follows").set(f64::from(u8::from(counted.follows())));
        for (event, count) in events(&told.stats()) {
            counter!("larder_level_servers_total", "event" => event).absolute(count);
        }
    };
    let rates = Rates::new(servers, of);
    let take = move |rates_of: &[(&[&str], Option<Rate>)], n_calls| rates.take(rates_of, n_calls);
    Ok(Tier {
        levels,
        publish: Arc::new(publish),
        take: of.shared_rates.then(|| Arc::new(take) as Arc<Take>),
    })
}

fn events(stats: &ValkeyStats) -> [(&'static str, u64); 12] {
    [
        ("connect", stats.connects),
        ("connect_error", stats.connect_errors),
        ("close", stats.closed),
        ("unasked", stats.unasked),
        ("break", stats.breaks),
        ("turned_away", stats.turned_away),
        (
            "damaged_record",
            stats.foreign + stats.other_version + stats.other_key + stats.damaged,
        ),
        ("redirect", stats.redirects),
        ("refresh", stats.refreshes),
        ("invalidation", stats.invalidations),
        ("track", stats.tracks),
        ("track_lost", stats.tracks_lost),
    ]
}

/// What the client is told.
pub(super) fn config(of: &Level) -> Result<Config, Refused> {
    let mut config = Config::new(servers(of)?)
        .database(of.database)
        .protocol(protocol(of.protocol)?)
        .connections_max(at_least_one("connections_max", of.connections_max)?)
        .compress_from((of.compress_from > 0).then_some(of.compress_from))
        .value_bytes_max(of.value_bytes_max)
        .tracking(of.tracking)
        .breaking(breaking(of)?);
    if of.timeout.is_zero() {
        return Err(value("timeout_ms", &0, "at least 1"));
    }
    if of.name_space.is_empty() {
        return Err(value(
            "name_space",
            &"\"\"",
            "a name, so that servers may be shared",
        ));
    }
    if of.value_bytes_max > VALUE_BYTES_MAX {
        let right = "at most 268435456, which is 256 MiB";
        return Err(value("value_bytes_max", &of.value_bytes_max, right));
    }
    let password = secret(
        ["password", "password_file"],
        of.password.as_ref(),
        of.password_file.as_ref(),
    )?;
    match (password, &of.user) {
        (Some(password), user) => config = config.credentials(user.as_deref(), &password),
        (None, Some(_)) => return Err(together("user", "a user needs a password")),
        (None, None) => {}
    }
    let password = secret(
        ["sentinel_password", "sentinel_password_file"],
        of.sentinel_password.as_ref(),
        of.sentinel_password_file.as_ref(),
    )?;
    match (password, &of.sentinel_user) {
        (Some(_), _) if of.kind != LevelKind::Sentinel => {
            return Err(together(
                "sentinel_password",
                "it goes with kind = \"sentinel\"",
            ));
        }
        (Some(password), user) => config = config.sentinel_credentials(user.as_deref(), &password),
        (None, Some(_)) => return Err(together("sentinel_user", "a user needs a password")),
        (None, None) => {}
    }
    if let Some(of) = &of.tls {
        config = config.tls(tls(of)?);
    }
    // What of it can't go together; nothing is called.
    Valkey::new(config.clone()).map_err(refused)?;
    Ok(config)
}

const VALUE_BYTES_MAX: u64 = 256 << 20;

fn servers(of: &Level) -> Result<Servers, Refused> {
    let mut addresses = Vec::new();
    for said in &of.servers {
        addresses.push(address(said)?);
    }
    if of.kind != LevelKind::Sentinel && of.master.is_some() {
        return Err(together("master", "it goes with kind = \"sentinel\""));
    }
    match (of.kind, &of.master) {
        (_, _) if addresses.is_empty() => Err(together(
            "servers",
            "no server is given; right would be servers = [\"127.0.0.1:6379\"]",
        )),
        (LevelKind::One, _) => match addresses.pop() {
            Some(only) if addresses.is_empty() => Ok(Servers::One(only)),
            _ => Err(together(
                "servers",
                "several servers need kind = \"cluster\" or kind = \"sentinel\"",
            )),
        },
        (LevelKind::Cluster, _) => Ok(Servers::Cluster(addresses)),
        (LevelKind::Sentinel, Some(master)) => Ok(Servers::Sentinel {
            sentinels: addresses,
            master: master.clone(),
        }),
        (LevelKind::Sentinel, None) => Err(together(
            "master",
            "sentinels need the name that they know the master by, such as master = \"mymaster\"",
        )),
    }
}

fn address(said: &str) -> Result<Address, Refused> {
    let right = "host:port, such as \"127.0.0.1:6379\" or \"[::1]:6379\"";
    let found = said.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse().ok().filter(|&port| port > 0)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let is_one = !host.is_empty()
            && !host.contains(['/', '@', ' '])
            && bare.is_some() == host.contains(':');
        is_one.then(|| Address::new(host, port))
    });
    // What stands before an @ may be a password (LV2).
    let told = said.rsplit('@').next().unwrap_or("");
    found.ok_or_else(|| value("servers", &format!("\"{told}\""), right))
}

fn protocol(said: u8) -> Result<Protocol, Refused> {
    match said {
        2 => Ok(Protocol::Resp2),
        3 => Ok(Protocol::Resp3),
        _ => Err(value("protocol", &said, "2 or 3")),
    }
}

fn breaking(of: &Level) -> Result<Breaking, Refused> {
    let said = of.breaker;
    if said.failures == 0 {
        return Err(value("breaker.failures", &0, "at least 1"));
    }
    if said.pause_min.is_zero() || said.pause_min > said.pause_max {
        return Err(together(
            "breaker",
            "pause_min_ms has to be at least 1, and at most pause_max_ms",
        ));
    }
    Ok(Breaking {
        failures: said.failures,
        pause_min: said.pause_min,
        pause_max: said.pause_max,
    })
}

fn tls(of: &LevelTls) -> Result<Tls, Refused> {
    let read =
        |name, path: &PathBuf| fs::read(path).map_err(|error| file(name, path, &error.to_string()));
    let authorities = read("tls.authorities", &of.authorities)?;
    let made = match (&of.certificates, &of.key) {
        (None, None) => Tls::trusting(&authorities),
        (Some(chain), Some(key)) => {
            let chain = read("tls.certificates", chain)?;
            Tls::with_identity(&authorities, &chain, &read("tls.key", key)?)
        }
        _ => {
            return Err(together(
                "tls",
                "certificates and key are given together, or neither is",
            ));
        }
    };
    let why = "none of it can be used, or the files don't belong together: it has to be PEM";
    let made = made.map_err(|_| file("tls", &of.authorities, why))?;
    Ok(match &of.name {
        Some(name) => made.server_name(name),
        None => made,
    })
}

/// A secret that is written down, or that a file holds.
fn secret(
    names: [&'static str; 2],
    said: Option<&String>,
    path: Option<&PathBuf>,
) -> Result<Option<String>, Refused> {
    match (said, path) {
        (Some(_), Some(_)) => Err(together(
            names[1],
            "the secret itself or its file, not both",
        )),
        (Some(said), None) => Ok(Some(said.clone())),
        (None, Some(path)) => {
            let read = fs::read_to_string(path);
            let read = read.map_err(|error| file(names[1], path, &error.to_string()))?;
            Ok(Some(read.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (None, None) => Ok(None),
    }
}

fn at_least_one(name: &'static str, said: usize) -> Result<usize, Refused> {
    match said {
        0 => Err(value(name, &0, "at least 1")),
        said => Ok(said),
    }
}

fn value(name: &'static str, said: &dyn std::fmt::Display, right: &'static str) -> Refused {
    Refused::Value {
        name,
        said: said.to_string(),
        right,
    }
}

fn together(name: &'static str, why: &'static str) -> Refused {
    Refused::Together { name, why }
}

fn file(name: &'static str, path: &Path, why: &str) -> Refused {
    Refused::File {
        name,
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

/// What only the client finds.
fn refused(error: ConfigError) -> Refused {
    match error {
        ConfigError::DatabaseOfCluster => together("database", "a cluster has no other than 0"),
        ConfigError::NoServers => together("servers", "no server is given"),
        _ => together("tls", "a certificate or key can't be used"),
    }
}
