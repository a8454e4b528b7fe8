//! A web server that keeps the files of a folder in a cache: `cargo run --release --example axum -- FOLDER`, then
//! `curl http://127.0.0.1:3000/files/NAME`, and `curl -X DELETE http://127.0.0.1:3000/files`.
//!
//! Everything that the cache does is done at once, so handlers call it as it is; the one thing that waits, for the disk or for another
//! request that reads the same file, is `get_or_load_async`. A file is read by one request at a time, is fresh for a second, and is served for a minute
//! more while one request reads it anew; that there is no such file is remembered for a second.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use bytes::Bytes;
use larder::{Cache, LoadError, Loaded, Ttl};

#[derive(Clone)]
struct Files {
    cache: Cache<[u8]>,
    folder: Arc<PathBuf>,
}

/// How long a file is fresh, and how long that there is none is remembered.
const FRESH: Duration = Duration::from_secs(1);
const STALE: Duration = Duration::from_secs(60);

fn app(folder: PathBuf) -> Result<Router, Box<dyn Error>> {
    let files = Files {
        cache: Cache::builder().max_bytes(64 << 20).build()?,
        folder: Arc::new(folder),
    };
    Ok(Router::new()
        .route("/files/{name}", get(file))
        .route("/files", delete(forget))
        .with_state(files))
}

async fn file(State(files): State<Files>, UrlPath(name): UrlPath<String>) -> Response {
    // A name and nothing else: no folder above or below.
    let path = Path::new(&name);
    if !matches!(path.components().collect::<Vec<_>>()[..], [Component::Normal(only)] if only == path.as_os_str())
    {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let ttl = Ttl::after(FRESH).stale(STALE).jitter(0.1);
    let read = async {
        match tokio::fs::read(files.folder.join(&name)).await {
            Ok(bytes) => Ok(Loaded::Value(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Loaded::Absent(FRESH)),
            Err(error) => Err(error),
        }
    };
    match files.cache.get_or_load_async(&*name, ttl, read).await {
        // The entry is the body: nothing is copied.
        Ok(Some(entry)) => Body::from(Bytes::from(entry)).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        // Too large for the cache, but read all the same.
        Err(LoadError::Refused(refused)) => refused.value.into_response(),
        Err(LoadError::Invalid(_)) => StatusCode::BAD_REQUEST.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn forget(State(files): State<Files>) -> Result<StatusCode, Infallible> {
    files.cache.clear();
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args()
        .nth(1)
        .map_or_else(env::current_dir, |folder| Ok(folder.into()))?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!(
        "http://{}/files/NAME serves {}",
        listener.local_addr()?,
        folder.display()
    );
    axum::serve(listener, app(folder)?).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn ask(port: u16, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    #[tokio::test]
    async fn files_are_served_from_the_cache_until_it_is_told_to_forget() {
        let folder = env::temp_dir().join(format!("larder-axum-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("motd"), "first").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = axum::serve(listener, app(folder.clone()).unwrap());
        tokio::spawn(async move { server.await });

        assert_eq!(
            ask(port, "GET", "/files/motd").await,
            (200, "first".to_owned())
        );
        assert_eq!(ask(port, "GET", "/files/absent").await.0, 404);
        assert_eq!(ask(port, "GET", "/files/..%2Fmotd").await.0, 400);
        // What the disk says now is asked for once it is forgotten.
        fs::write(folder.join("motd"), "second").unwrap();
        assert_eq!(ask(port, "DELETE", "/files").await.0, 204);
        assert_eq!(
            ask(port, "GET", "/files/motd").await,
            (200, "second".to_owned())
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
