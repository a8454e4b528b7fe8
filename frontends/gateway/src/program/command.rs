//! The commands of `larder-gateway`.
//!
//! # Idea         each reads the same settings: a file, or those of a folder
//! # Costs        none but at the start
//! # Invariants   CM1 it ends with 0 if all is well, with 1 if documents have errors, with 2 if it can't do what it is told
//! # Not here     what the gateway does

use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use larder_serve::words::{RIGHT, address_of};
use larder_serve::{Connections, Run, SetupError, Tls, Warmed};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tracing::{info, warn};
use url::Url;

use super::app::{App, StartError};
use super::client::Client;
use super::explain::{parse_request, tell};
use super::level::Standing;
use super::settings::{Settings, SettingsError, backend_of};
use super::site::{Loaded, Site};
use crate::http::{Call, Response};
use crate::upstream::{Boxed, SendError, Upstream};

/// A gateway that runs caching policies in front of backends.
#[derive(Debug, Clone, Parser)]
#[command(name = "larder-gateway", version, arg_required_else_help = true)]
pub struct Program {
    /// The file of settings; the environment (LARDER_...) goes before it.
    #[arg(long, short, global = true)]
    config: Option<PathBuf>,
    /// Where to listen, instead of what the settings say.
    #[arg(long, global = true, value_parser = address_of)]
    listen: Option<SocketAddr>,
    /// Where to answer for health and metrics, instead of what the settings say.
    #[arg(long, global = true, value_parser = address_of)]
    admin: Option<SocketAddr>,
    /// The backend of policies in a folder without settings.
    #[arg(long, global = true, value_parser = backend_of)]
    backend: Option<Url>,
    /// A host that may be asked, beside those of the settings; as often as there are such.
    #[arg(long, global = true)]
    allow: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Serves the policies of a folder.
    Serve {
        /// The folder: with a gateway.toml, or policies alone.
        folder: Option<PathBuf>,
    },
    /// Says what is wrong with the policies of a folder.
    Check {
        /// The folder.
        folder: Option<PathBuf>,
    },
    /// Says step by step what the policies of a folder do with a request.
    Explain {
        /// The folder.
        folder: PathBuf,
        /// A file with a request, `-` for standard input, or a request such as "GET /path".
        request: String,
        /// How often it is sent: what is stored the first time is found the second.
        #[arg(long, default_value_t = 1)]
        times: u32,
        /// Ask nobody: every call is answered with 200 and nothing.
        #[arg(long)]
        offline: bool,
    },
}

impl Program {
    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        let done = match &self.command {
            None => self.serve(None),
            Some(Command::Serve { folder }) => self.serve(folder.as_deref()),
            Some(Command::Check { folder }) => self.check(folder.as_deref()),
            Some(Command::Explain {
                folder,
                request,
                times,
                offline,
            }) => self.explain(folder, request, *times, *offline),
        };
        match done {
            Ok(code) => code,
            // Logs may not have begun.
            Err(StartError::Findings(findings)) => {
                for finding in findings {
                    let _ = writeln!(std::io::stderr(), "{finding}");
                }
                ExitCode::from(1)
            }
            Err(StartError::Settings(error)) => {
                let _ = writeln!(std::io::stderr(), "larder-gateway: {error}");
                ExitCode::from(2)
            }
        }
    }

    fn settings(&self, folder: Option<&Path>) -> Result<Settings, SettingsError> {
        let mut settings = match (&self.config, folder) {
            (Some(_), None) if self.backend.is_some() => return Err(SettingsError::backend()),
            (Some(file), None) => Settings::read(Some(file))?,
            (None, Some(folder)) => Settings::of_folder(folder, self.backend.as_ref())?,
            (Some(_), Some(_)) => {
                let error = "a file of settings or a folder, and not both";
                return Err(SettingsError(error.into()));
            }
            (None, None) => return Err(SettingsError("which folder? Or --config FILE".into())),
        };
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.admin = self.admin.or(settings.admin);
        settings.backends.hosts.extend(self.allow.iter().cloned());
        Ok(settings)
    }

    fn check(&self, folder: Option<&Path>) -> Result<ExitCode, StartError> {
        let settings = self.settings(folder)?;
        let tls = settings.tls.as_ref().map(Tls::acceptor).transpose();
        tls.map_err(|error| SettingsError::of(&error))?;
        let warm = settings.warm().map(|warm| warm.check()).transpose();
        warm.map_err(|error| SettingsError::of(&error))?;
        // Its authorities are files.
        Client::new(&settings.backends)?;
        let (engine, _) = settings.engine(Standing::Played)?;
        let Loaded { site, findings } = Site::load(&settings, &engine, Nobody, None)?;
        for finding in &findings {
            say(&finding.to_string())?;
        }
        let n_errors = findings.iter().filter(|finding| finding.is_error()).count();
        let n_warnings = findings.len() - n_errors;
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (errors, warnings) = (count(n_errors, "error"), count(n_warnings, "warning"));
        say(&format!("{errors}, {warnings}"))?;
        Ok(match site {
            Some(_) => ExitCode::SUCCESS,
            None => ExitCode::from(1),
        })
    }

    fn explain(
        &self,
        folder: &Path,
        request: &str,
        times: u32,
        is_offline: bool,
    ) -> Result<ExitCode, StartError> {
        let settings = self.settings(Some(folder))?;
        let request = parse_request(&bytes_of(request)?)?;
        // What is told of a request without asking anybody doesn't ask the level's servers either.
        let standing = match is_offline {
            true => Standing::Played,
            false => Standing::Real,
        };
        let (engine, _tier) = settings.engine(standing)?;
        let loaded = match is_offline {
            true => Site::load(&settings, &engine, Nobody, None)?,
            false => Site::load(&settings, &engine, Client::new(&settings.backends)?, None)?,
        };
        let Some(site) = loaded.site else {
            return Err(StartError::Findings(loaded.findings));
        };
        runtime()?.block_on(async {
            for time in 0..times {
                if time > 0 {
                    say("")?;
                }
                let mut out = Vec::new();
                let told = tell(&site, request.clone(), &mut out).await;
                told.map_err(|error| SettingsError::of(&error))?;
                say(String::from_utf8_lossy(&out).trim_end())?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    fn serve(&self, folder: Option<&Path>) -> Result<ExitCode, StartError> {
        let settings = self.settings(folder)?;
        let refused = |error: &dyn fmt::Display| StartError::from(SettingsError::of(error));
        settings.log.start().map_err(|error| refused(&error))?;
        let app = App::new(&settings, |finding| warn!("{finding}"))?;
        let warmed = app.warm(&settings)?;
        let run = Run {
            listen: settings.listen,
            tls: settings.tls.as_ref(),
            connections: settings.connections,
            router: app.router(),
            health: app.health().clone(),
        };
        let admin = app.clone();
        let started = || {
            for api in settings
                .azure
                .apis
                .iter()
                .filter(|api| api.backend.is_none())
            {
                warn!(
                    api = api.id,
                    "it has no backend: what policies don't answer or send elsewhere is a 500"
                );
            }
            match settings.admin {
                Some(address) => administer(&admin, address),
                None => Ok(()),
            }
        };
        let (program, folder) = (self.clone(), folder.map(Path::to_owned));
        let begun = settings.clone();
        let reload = move || {
            let settings = program.settings(folder.as_deref())?;
            app.reload(&settings)?;
            for setting in settings.waiting(&begun) {
                warn!(setting, "what was changed here waits for the next start");
            }
            Ok(())
        };
        let run = run.to_the_end(started, reload);
        run.map_err(|error| refused(&error))?;
        warmed.into_iter().for_each(Warmed::finish);
        Ok(ExitCode::SUCCESS)
    }
}

/// Serves administrators for as long as the runtime lives.
fn administer(app: &App, address: SocketAddr) -> Result<(), SetupError> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    info!(address = %listener.local_addr()?, "listening for administrators");
    let (router, forever) = (app.admin_router(), std::future::pending());
    let connections = Connections {
        max: ADMINISTRATORS_MAX,
        ..app.connections
    };
    tokio::spawn(larder_serve::serve(
        listener,
        None,
        connections,
        router,
        forever,
    ));
    Ok(())
}

/// Connections to the address of administrators.
const ADMINISTRATORS_MAX: usize = 64;

/// Answers every call with nothing.
struct Nobody;

impl Upstream for Nobody {
    fn send(&self, _: Call) -> Boxed<'_, Result<Response, SendError>> {
        Box::pin(async { Ok(Response::text(200, "")) })
    }
}

fn runtime() -> Result<Runtime, SettingsError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.enable_all().build();
    built.map_err(|error| SettingsError::of(&error))
}

fn bytes_of(request: &str) -> Result<Vec<u8>, SettingsError> {
    let read = match request {
        "-" => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
        file if Path::new(file).is_file() => std::fs::read(file),
        text if text.contains(char::is_whitespace) => Ok(text.as_bytes().to_vec()),
        other => {
            let right = "a file with a request, `-`, or a request such as \"GET /path\"";
            return Err(SettingsError(format!(
                "{other:?} can't be meant{RIGHT}{right}"
            )));
        }
    };
    read.map_err(|error| SettingsError(format!("{request}: {error}")))
}

fn say(line: &str) -> Result<(), SettingsError> {
    match larder_serve::say(line) {
        // Who reads has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        told => told.map_err(|error| SettingsError::of(&error)),
    }
}
