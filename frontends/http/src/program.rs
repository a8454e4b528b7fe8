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
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use larder::Janitor;
use larder_serve::{Drained, LogFormat};
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use crate::app::{App, Engine};
use crate::auth::{
    Claims, Grant, Keyring, Permission, SigningKey, StaticKey, check_claims, hash_of,
};
use crate::query::to_base64;
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
    #[arg(long)]
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
    #[arg(long)]
    super_user: bool,
    /// What it allows, else: a JSON list, such as [{"role":"readonly","cache":"default-cache"}].
    #[arg(long, default_value = "[]")]
    permissions: String,
    /// How long it is good, at most 25 hours.
    #[arg(long)]
    ttl_seconds: Option<i64>,
    /// Its name.
    #[arg(long)]
    id: Option<String>,
    /// Draw a token without an end, and print beside it what the settings need to know it by.
    #[arg(long = "static")]
    is_static: bool,
}

impl Program {
    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(code) => code,
            Err(error) => {
                // Logs may not have begun.
                let _ = writeln!(std::io::stderr(), "larder-http: {error}");
                ExitCode::from(2)
            }
        }
    }

    fn try_run(self) -> Result<ExitCode, SettingsError> {
        let mut settings = Settings::read(self.config.as_deref())?;
        settings.listen = self.listen.unwrap_or(settings.listen);
        match &self.command {
            Some(Command::CheckConfig) => {
                settings.serving()?;
                App::new(&settings, Engine::new(settings.max_bytes)?)?;
                say("the settings can be used")?;
            }
            Some(Command::Token(args)) => {
                for line in args.mint(&settings)? {
                    say(&line)?;
                }
            }
            None => return self.serve(settings),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn serve(self, mut settings: Settings) -> Result<ExitCode, SettingsError> {
        let format = match settings.log.json {
            true => LogFormat::Json,
            false => LogFormat::Text,
        };
        larder_serve::start_logs(format, &settings.log.filter)
            .map_err(|error| SettingsError(format!("log: {error}")))?;
        let development = Development::new()?;
        let is_developing = development.complete(&mut settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(system)?;
        let drained = runtime.block_on(async {
            let engine = Engine::new(settings.max_bytes)?;
            let janitor = Janitor::start(&engine.cache, Duration::from_millis(500));
            let app = App::new(&settings, engine)?;
            let listen = settings.serving()?;
            let listener = TcpListener::bind(settings.listen).await.map_err(system)?;
            let address = listener.local_addr().map_err(system)?;
            let stop = larder_serve::terminated().map_err(system)?;
            let reloads = tokio::spawn(reloads(self, app.clone(), development.clone())?);
            info!(%address, tls = listen.tls.is_some(), "listening");
            if is_developing {
                say(&format!("export TOKEN={}", development.token))?;
            }
            let of = app.clone();
            let stop = async move {
                stop.await;
                of.stop();
            };
            let drained = larder_serve::serve(listener, listen, router(app), stop).await;
            reloads.abort();
            drop(janitor);
            Ok::<_, SettingsError>(drained)
        })?;
        match drained {
            Drained::Wholly => info!("every request was answered"),
            Drained::CutOff { connections } => warn!(connections, "cut off"),
        }
        // What blocks in a further level isn't waited for.
        runtime.shutdown_background();
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the settings anew at each hang-up.
fn reloads(
    program: Program,
    app: App,
    development: Development,
) -> Result<impl Future<Output = ()>, SettingsError> {
    let mut hang_ups = larder_serve::hang_ups().map_err(system)?;
    Ok(async move {
        while hang_ups.recv().await.is_some() {
            let reloaded = Settings::read(program.config.as_deref()).and_then(|mut settings| {
                settings.listen = program.listen.unwrap_or(settings.listen);
                development.complete(&mut settings)?;
                app.reload(&settings)
            });
            match reloaded {
                Ok(()) => info!("keys and limits were read anew"),
                Err(error) => error!(%error, "the settings stay as they are"),
            }
        }
    })
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
        settings.keys = vec![static_key(&account, &self.token, true, Vec::new())];
        settings.signing_keys = vec![SigningKey {
            id: "development".into(),
            algorithm: "HS256".into(),
            secret: Some(self.secret.clone()),
            secret_file: None,
            public_key_file: None,
            private_key_file: None,
        }];
        Ok(true)
    }
}

impl TokenArgs {
    /// The lines to print.
    fn mint(&self, settings: &Settings) -> Result<Vec<String>, SettingsError> {
        let refused = |error: &dyn std::fmt::Display| SettingsError(error.to_string());
        let permissions: Vec<Permission> =
            serde_json::from_str(&self.permissions).map_err(|error| refused(&error))?;
        let permissions_max = settings.profile.permissions_max(settings.permissions_max);
        if self.is_static {
            let token = draw()?;
            let key = static_key(&self.account, &token, self.super_user, permissions);
            Keyring::new(std::slice::from_ref(&key), &[], permissions_max)
                .map_err(|error| refused(&error))?;
            let allows = match self.super_user {
                true => "super_user = true".to_owned(),
                false => format!("# and its permissions: {}", self.permissions),
            };
            return Ok(vec![
                token,
                "[[keys]]".into(),
                format!("account = {:?}", key.account),
                format!("sha256 = {:?}", key.sha256),
                allows,
            ]);
        }
        let grant = match self.super_user {
            true => Grant::SuperUser,
            false => Grant::Permissions(permissions.clone()),
        };
        let (id, ttl) = (self.id.as_deref(), self.ttl_seconds);
        let ttl =
            check_claims(&grant, id, ttl, permissions_max).map_err(|error| refused(&error))?;
        let engine = Engine::new(0)?;
        let now = (engine.calendar)().duration_since(std::time::UNIX_EPOCH);
        let claims = Claims {
            account: self.account.clone(),
            exp: now.map_err(|error| refused(&error))?.as_secs() + ttl,
            nbf: None,
            jti: self.id.clone(),
            region: settings.region.clone(),
            super_user: self.super_user,
            permissions,
        };
        let keyring = Keyring::new(&[], &settings.signing_keys, None);
        let keyring = keyring.map_err(|error| refused(&error))?;
        Ok(vec![
            keyring.mint(&claims).map_err(|error| refused(&error))?,
        ])
    }
}

fn static_key(
    account: &str,
    token: &str,
    super_user: bool,
    permissions: Vec<Permission>,
) -> StaticKey {
    let hex = |byte: &u8| format!("{byte:02x}");
    StaticKey {
        sha256: hash_of(token.as_bytes()).iter().map(hex).collect(),
        account: account.to_owned(),
        expires_at: None,
        super_user,
        permissions,
    }
}

/// 32 random bytes, as text.
fn draw() -> Result<String, SettingsError> {
    let mut bytes = [0; 32];
    let drawn = aws_lc_rs::rand::fill(&mut bytes);
    drawn.map_err(|_| SettingsError("the system gives no randomness".into()))?;
    Ok(to_base64(&bytes))
}

fn say(line: &str) -> Result<(), SettingsError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(system)
}

fn system(error: std::io::Error) -> SettingsError {
    SettingsError(error.to_string())
}
