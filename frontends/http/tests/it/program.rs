//! The program itself: start, signals, end.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-http"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

pub(crate) async fn run(args: &[&str]) -> Output {
    program().args(args).output().await.unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn file(name: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("program-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path
}

/// A server that has been started, where it listens, and the lines of its log.
pub(crate) struct Started {
    child: Child,
    address: String,
    log: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
}

impl Started {
    pub(crate) async fn with(args: &[&str]) -> Self {
        let mut child = program()
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut line = log.next_line().await.unwrap().unwrap();
        while !line.contains("address=") {
            line = log.next_line().await.unwrap().unwrap();
        }
        let address = line.split("address=").nth(1).unwrap();
        let address = address.split(' ').next().unwrap().to_owned();
        Self {
            child,
            address,
            log,
        }
    }

    /// Reads the log up to a line that holds a word.
    async fn logs(&mut self, word: &str) {
        while !self.log.next_line().await.unwrap().unwrap().contains(word) {}
    }

    async fn first_line(&mut self) -> String {
        let out = self.child.stdout.take().unwrap();
        let mut lines = BufReader::new(out).lines();
        lines.next_line().await.unwrap().unwrap()
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let done = Command::new("kill").args([name, &id]).status().await;
        assert!(done.unwrap().success());
    }

    /// curl, by a shell in which the token is exported as the program says.
    pub(crate) async fn shell(&self, export: &str, line: &str) -> String {
        let line = line.replace("localhost:8080", &self.address);
        let script = format!("{export}\n{line}");
        let done = Command::new("sh").args(["-c", &script]).output().await;
        text(&done.unwrap().stdout)
    }

    pub(crate) async fn ends(mut self) -> (Option<i32>, Vec<String>) {
        self.signal("-TERM").await;
        let status = self.child.wait().await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            lines.push(line);
        }
        (status.code(), lines)
    }
}

#[tokio::test]
async fn v_1_v_3_f46_it_starts_without_settings_and_ends_with_zero() {
    let mut server = Started::with(&[]).await;
    let export = server.first_line().await;
    let token = export.strip_prefix("export TOKEN=").unwrap().to_owned();
    assert!(token.len() >= 40);
    let put = r#"curl -s -w '%{http_code}' -X PUT -d 'example value' "http://localhost:8080/cache/default-cache?key=example_key&ttl_seconds=300&token=$TOKEN""#;
    assert_eq!(server.shell(&export, put).await, "204");
    let get = r#"curl -s -H "Authorization: $TOKEN" "http://localhost:8080/cache/default-cache?key=example_key""#;
    assert_eq!(server.shell(&export, get).await, "example value");
    // Its own super user makes caches and tokens; those of another start are strangers.
    let make =
        r#"curl -s -w '%{http_code}' -X PUT "http://localhost:8080/caches/new?token=$TOKEN""#;
    assert_eq!(server.shell(&export, make).await, "201");
    let (code, log) = server.ends().await;
    assert_eq!(code, Some(0));
    assert!(log.iter().all(|line| !line.contains(&token)), "{log:?}");
}

#[tokio::test]
async fn m_065_beyond_the_machine_nobody_is_listened_to_without_keys() {
    let output = run(&["--listen", "0.0.0.0:0"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("keys"));
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn m_119_a_hang_up_reads_keys_and_limits_anew() {
    let minted = run(&["token", "--static", "--account", "acme", "--super-user"]).await;
    let minted = text(&minted.stdout);
    let (token, key) = minted.split_once('\n').unwrap();
    let settings = |limit: &str| {
        format!(
            "[accounts.acme]\noperations_per_second = {limit}\n[accounts.acme.caches.default-cache]\n{key}"
        )
    };
    let path = file("reload.toml", &settings("0"));
    let mut server = Started::with(&["--config", path.to_str().unwrap()]).await;
    let export = format!("TOKEN={token}");
    let get = r#"curl -s -o /dev/null -w '%{http_code}' "http://localhost:8080/cache/default-cache?key=a&token=$TOKEN""#;
    assert_eq!(server.shell(&export, get).await, "429");
    file("reload.toml", &settings("\"unlimited\""));
    server.signal("-HUP").await;
    server.logs("anew").await;
    assert_eq!(server.shell(&export, get).await, "404");
    // What a reload doesn't take up is told, and nothing else is.
    let more = "max_bytes = 1000000\nregion = \"r\"\n[connections]\nmax = 7\n";
    file(
        "reload.toml",
        &(more.to_owned() + &settings("\"unlimited\"")),
    );
    for _ in 0..2 {
        server.signal("-HUP").await;
        server
            .logs("waits for the next start setting=\"max_bytes\"")
            .await;
        server
            .logs("waits for the next start setting=\"connections\"")
            .await;
        server.logs("anew").await;
    }
    file("reload.toml", "nonsense = 1");
    server.signal("-HUP").await;
    server.logs("stay").await;
    assert_eq!(server.shell(&export, get).await, "404");
    assert_eq!(server.ends().await.0, Some(0));
}

#[tokio::test]
async fn a_start_where_few_files_may_be_open_is_no_reason_for_alarm() {
    let script = format!(
        "ulimit -n 200; exec {} --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_larder-http")
    );
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = out.next_line().await.unwrap().unwrap();
    assert!(line.starts_with("export TOKEN="), "{line}");
    let id = child.id().unwrap().to_string();
    Command::new("kill").arg(&id).status().await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    let log = text(&ended.stderr);
    assert!(ended.status.success() && log.contains("INFO"), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn e_54_without_the_levels_server_it_starts_says_so_and_serves_from_memory() {
    // Nobody listens there.
    let path = file(
        "level.toml",
        "[level]\nservers = [\"127.0.0.1:1\"]\non_error = \"ignore\"\npassword = \"sesame\"\n",
    );
    let path = path.to_str().unwrap();
    let checked = run(&["check-config", "--config", path]).await;
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--config", path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let away = log.next_line().await.unwrap().unwrap();
    assert!(
        away.contains("the second level is away") && away.contains("127.0.0.1:1"),
        "{away}"
    );
    assert!(away.contains("the connection can't be made"), "{away}");
    let listening = log.next_line().await.unwrap().unwrap();
    let address = listening.split("address=").nth(1).unwrap();
    let mut server = Started {
        address: address.split(' ').next().unwrap().to_owned(),
        child,
        log,
    };
    let export = server.first_line().await;
    let put = r#"curl -s -w '%{http_code}' -X PUT -d 'v' "http://localhost:8080/cache/default-cache?key=k&ttl_seconds=300&token=$TOKEN""#;
    let get = r#"curl -s -w '%{http_code}' "http://localhost:8080/cache/default-cache?key=none&token=$TOKEN""#;
    assert_eq!(server.shell(&export, put).await, "204");
    assert!(server.shell(&export, get).await.ends_with("404"));
    let (code, log) = server.ends().await;
    assert_eq!(code, Some(0));
    assert!(log.iter().all(|line| !line.contains("sesame")), "{log:?}");
}
