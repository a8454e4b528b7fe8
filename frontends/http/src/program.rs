//! The commands of `larder-http`.
//!
//! # Idea
//! Without settings a server is for its own machine: an account, a cache and a token that is drawn at the start and told once. Who is to
//! be listened to from elsewhere has to have keys.
//!
//! # Costs        none but at the start
//! # Invariants   PR1 a token goes to standard output, and to the log never
//! # Not here     what the server does

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use larder::Janitor;
use larder_serve::words::address_of;
use larder_serve::{Level, Run, SetupError, Tls, Warm, Warmed, say, to_base64};
use tracing::warn;

use crate::app::App;
use crate::auth::{Grant, Keyring, SigningKey, StaticKey, Wanted};
use crate::engine::Engine;
use crate::routes::router;
use crate::settings::{Settings, SettingsError};

/// A cache server with a Momento-style HTTP interface.
#[derive(Debug, Parser)]
#[command(name = "larder-http", version)]
pub struct Program {
    /// The file of settings; the environment (LARDER_...) goes before it.
    #[arg(long, short, global = true)]
    config: Option<PathBuf>,
    /// Where to listen, instead of what the settings say.
    #[arg(long, value_parser = address_of)]
    listen: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says whether the settings can be used, without listening.
    CheckConfig,
    /// Mints a token: signed and short-lived, or static.
    Token(TokenArgs),
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// Whose caches it is for.
    #[arg(long)]
    account: String,
    /// Allow everything in the account.
    #[arg(long, conflicts_with = "permissions")]
    super_user: bool,
    /// What it allows, else: a JSON list, such as [{"role":"readonly","cache":"default-cache"}].
    #[arg(long, default_value = "[]")]
    permissions: String,
    /// How long it is good, at most 25 hours.
    #[arg(long, allow_negative_numbers = true)]
    ttl_seconds: Option<i64>,
    /// Its name.
    #[arg(long)]
    id: Option<String>,
    /// Draw a token without an end, and print beside it what the settings need to know it by.
    #[arg(long = "static", conflicts_with_all = ["ttl_seconds", "id"])]
    is_static: bool,
}

impl Program {
    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Logs may not have begun.
                let _ = writeln!(std::io::stderr(), "larder-http: {error}");
                ExitCode::from(2)
            }
        }
    }

    fn try_run(self) -> Result<(), SetupError> {
        let mut settings = self.settings()?;
        match &self.command {
            Some(Command::CheckConfig) => {
                settings.tls.as_ref().map(Tls::acceptor).transpose()?;
                settings.level.as_ref().map(Level::check).transpose()?;
                settings.warm.as_ref().map(Warm::check).transpose()?;
                // As at the start, which may refuse to listen.
                Development::new()?.complete(&mut settings)?;
                App::new(&settings, Engine::new(settings.max_bytes)?)?;
                Ok(say("the settings can be used")?)
            }
            Some(Command::Token(args)) => Ok(say(&args.mint(&settings)?)?),
            None => self.serve(settings),
        }
    }

    fn serve(self, mut settings: Settings) -> Result<(), SetupError> {
        settings.log.start()?;
        let development = Development::new()?;
        let is_developing = development.complete(&mut settings)?;
        let engine = Engine::new(settings.max_bytes)?.with_level(settings.level.as_ref())?;
        let janitor = Janitor::start(&engine.cache, Duration::from_millis(500))?;
        let app = App::new(&settings, engine)?;
        let warm = settings.warm.as_ref();
        let warmed = warm.map(|warm| app.warm(&settings, warm)).transpose()?;
        let run = Run {
            listen: settings.listen,
            tls: settings.tls.as_ref(),
            connections: settings.connections,
            router: router(app.clone()),
            health: app.health().clone(),
        };
        let export = format!("export TOKEN={}", development.token);
        let started = || match is_developing {
            true => Ok(say(&export)?),
            false => Ok(()),
        };
        let begun = settings.clone();
        let reload = move || {
            let mut settings = self.settings()?;
            development.complete(&mut settings)?;
            let waiting: Vec<_> = settings.waiting(&begun).collect();
            // Some of it is looked at by requests: all of it waits.
            settings.connections = begun.connections;
            app.reload(&settings)?;
            for setting in waiting {
                warn!(setting, "what was changed here waits for the next start");
            }
            Ok(())
        };
        run.to_the_end(started, reload)?;
        janitor.stop();
        warmed.into_iter().for_each(Warmed::finish);
        Ok(())
    }

    fn settings(&self) -> Result<Settings, SettingsError> {
        let mut settings = Settings::read(self.config.as_deref())?;
        settings.listen = self.listen.unwrap_or(settings.listen);
        Ok(settings)
    }
}

/// What stands in for keys where none are configured, the same through all reloads.
#[derive(Clone)]
struct Development {
    token: String,
    secret: String,
}

impl Development {
    fn new() -> Result<Self, SettingsError> {
        Ok(Self {
            token: draw()?,
            secret: draw()?,
        })
    }

    /// Completes settings without keys; whether they had none.
    fn complete(&self, settings: &mut Settings) -> Result<bool, SettingsError> {
        if settings.has_keys() {
            return Ok(false);
        }
        if !settings.listen.ip().is_loopback() {
            let error = "listening beyond this machine needs keys: see larder-http token --static";
            return Err(SettingsError(error.into()));
        }
        let account = settings.accounts.keys().next();
        let account = account.cloned().unwrap_or("development".into());
        let of = settings.accounts.entry(account.clone()).or_default();
        if of.caches.is_empty() {
            of.caches.entry("default-cache".into()).or_default();
        }
        settings.keys = vec![StaticKey::of(&self.token, &account, Grant::SuperUser)];
        settings.signing_keys = vec![SigningKey::hs256("development", &self.secret)];
        Ok(true)
    }
}

impl TokenArgs {
    /// What is to be printed.
    fn mint(&self, settings: &Settings) -> Result<String, SetupError> {
        let permissions_max = settings.profile.permissions_max(settings.permissions_max);
        let grant = match self.super_user {
            true => Grant::SuperUser,
            false => Grant::Permissions(serde_json::from_str(&self.permissions)?),
        };
        if self.is_static {
            let token = draw()?;
            let key = StaticKey::of(&token, &self.account, grant);
            Keyring::new(std::slice::from_ref(&key), &[], permissions_max)?;
            return Ok(format!("{token}\n{}", key.to_toml()?.trim_end()));
        }
        // Nobody's token would be good for nothing, and the server says no more than that.
        if !settings.accounts.contains_key(&self.account) {
            return Err(format!("there is no account {}", self.account).into());
        }
        let wanted = Wanted {
            account: self.account.clone(),
            grant,
            id: self.id.clone(),
            ttl_seconds: self.ttl_seconds,
            region: settings.region.clone(),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = wanted.claims(now, permissions_max)?;
        let keyring = Keyring::new(&[], &settings.signing_keys, None)?;
        Ok(keyring.mint(&claims)?)
    }
}

/// 32 random bytes, as text.
fn draw() -> Result<String, SettingsError> {
    let mut bytes = [0; 32];
    let drawn = aws_lc_rs::rand::fill(&mut bytes);
    drawn.map_err(|_| SettingsError("the system gives no randomness".into()))?;
    Ok(to_base64(&bytes))
}
