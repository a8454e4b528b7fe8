//! The program itself: start, signals, commands.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

fn program() -> Command {
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
    file("reload.toml", "nonsense = 1");
    server.signal("-HUP").await;
    server.logs("stay").await;
    assert_eq!(server.shell(&export, get).await, "404");
    assert_eq!(server.ends().await.0, Some(0));
}

#[tokio::test]
async fn m_060_m_061_m_065_the_command_mints_what_the_server_takes() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";
    let settings = format!(
        "[accounts.acme.caches.default-cache]\n[[signing_keys]]\nid = \"k\"\nalgorithm = \"HS256\"\nsecret = {secret:?}\n"
    );
    let path = file("mint.toml", &settings);
    let path = path.to_str().unwrap();
    let mint = async |args: &[&str]| {
        let all = [&["token", "--config", path, "--account", "acme"], args].concat();
        run(&all).await
    };
    let allow = r#"[{"role":"readonly","cache":"default-cache"}]"#;
    for args in [
        &["--ttl-seconds", "60"][..],
        &["--permissions", allow],
        &["--permissions", allow, "--ttl-seconds", "90001"],
        &["--permissions", "[{}]", "--ttl-seconds", "60"],
        &["--super-user"],
    ] {
        let output = mint(args).await;
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{args:?}"
        );
    }
    let output = mint(&["--permissions", allow, "--ttl-seconds", "60"]).await;
    let token = text(&output.stdout);
    let server = Started::with(&["--config", path]).await;
    let export = format!("TOKEN={}", token.trim());
    let get = r#"curl -s -o /dev/null -w '%{http_code}' "http://localhost:8080/cache/default-cache?key=a&token=$TOKEN""#;
    assert_eq!(server.shell(&export, get).await, "404");
    let put = r#"curl -s -o /dev/null -w '%{http_code}' -X PUT "http://localhost:8080/cache/default-cache?key=a&ttl_seconds=5&token=$TOKEN""#;
    assert_eq!(server.shell(&export, put).await, "403");
    server.ends().await;
}

#[tokio::test]
async fn m_065_settings_are_checked_and_the_example_holds() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("larder-http.example.toml");
    let output = run(&["check-config", "--config", example.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // What the example has commented out are the defaults.
    let shown = std::fs::read_to_string(&example).unwrap();
    let defaults: String = shown
        .lines()
        .map(|line| line.strip_prefix("#= ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let path = file("defaults.toml", &defaults);
    let read = |path: &Path| larder_http::Settings::read(Some(path)).unwrap();
    assert_eq!(read(&path), read(&example));
    assert!(defaults.contains("\nprofile = "));
    // So are those of the level, once its section is there.
    let section: String = shown
        .lines()
        .skip_while(|line| *line != "# [level]")
        .map_while(|line| line.strip_prefix("# "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let level = read(&file("section.toml", &section)).level.unwrap();
    let known = larder_serve::Level {
        servers: vec!["127.0.0.1:6379".into()],
        ..Default::default()
    };
    assert_eq!(level, known);
    for broken in [
        "unknown = 1",
        "profile = \"closed\"",
        "[[keys]]\naccount = \"nobody\"\nsha256 = \"00\"",
        "max_bytes = -1",
        "[accounts.a.caches.\" \"]",
        "[[signing_keys]]\nid = \"k\"\nalgorithm = \"none\"",
        "[[signing_keys]]\nid = \"k\"\nalgorithm = \"HS256\"\nsecret = \"c2hvcnQ\"",
        "[tls]\ncertificates = \"/nowhere\"\nkey = \"/nowhere\"",
    ] {
        let path = file("broken.toml", broken);
        let output = run(&["check-config", "--config", path.to_str().unwrap()]).await;
        assert_eq!(output.status.code(), Some(2), "{broken}");
        assert!(!output.stderr.is_empty());
    }
}

#[tokio::test]
async fn m_086_the_environment_goes_before_the_file() {
    let path = file(
        "over.toml",
        "profile = \"open\"\n[accounts.\"A.b\".caches.\"C.d\"]\n",
    );
    let check = async |value: &str| {
        let mut command = program();
        command.args(["check-config", "--config"]).arg(&path);
        command.env("LARDER_PROFILE", value);
        command.env("LARDER_CONNECTIONS__MAX", "5");
        command.output().await.unwrap().status.code()
    };
    assert_eq!(check("vendor").await, Some(0));
    assert_eq!(check("closed").await, Some(2));
    let settings = larder_http::Settings::read(Some(&path)).unwrap();
    assert!(settings.accounts["A.b"].caches.contains_key("C.d"));
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

#[tokio::test]
async fn what_is_wrong_with_a_level_is_named_with_what_is_right() {
    let cases = [
        (
            "",
            "level.servers: no server is given; right would be servers = [\"127.0.0.1:6379\"]",
        ),
        (
            "servers = [\"redis://user:sesame@host:1\"]",
            "level.servers: \"host:1\" can't be meant; it has to be host:port",
        ),
        (
            "servers = [\"host\"]",
            "level.servers: \"host\" can't be meant; it has to be host:port",
        ),
        (
            "servers = [\"a:1\", \"b:2\"]",
            "level.servers: several servers need kind = \"cluster\" or kind = \"sentinel\"",
        ),
        (
            "servers = [\"a:1\"]\nkind = \"sentinel\"",
            "level.master: sentinels need the name",
        ),
        (
            "servers = [\"a:1\"]\nmaster = \"m\"",
            "level.master: it goes with kind = \"sentinel\"",
        ),
        (
            "servers = [\"a:1\"]\nkind = \"cluster\"\ndatabase = 2",
            "level.database: a cluster has no other than 0",
        ),
        (
            "servers = [\"a:1\"]\nprotocol = 4",
            "level.protocol: 4 can't be meant; it has to be 2 or 3",
        ),
        (
            "servers = [\"a:1\"]\ntimeout_ms = 0",
            "level.timeout_ms: 0 can't be meant; it has to be at least 1",
        ),
        (
            "servers = [\"a:1\"]\nuser = \"u\"",
            "level.user: a user needs a password",
        ),
        (
            "servers = [\"a:1\"]\npassword_file = \"/nowhere\"",
            "level.password_file: /nowhere: ",
        ),
        (
            "servers = [\"a:1\"]\npassword = \"sesame\"\npassword_file = \"f\"",
            "level.password_file: the secret itself or its file, not both",
        ),
        (
            "servers = [\"a:1\"]\n[level.tls]\nauthorities = \"/nowhere\"",
            "level.tls.authorities: /nowhere: ",
        ),
        (
            "servers = [\"a:1\"]\n[level.breaker]\npause_min_ms = 10\npause_max_ms = 5",
            "level.breaker: pause_min_ms",
        ),
        (
            "servers = [\"a:1\"]\nmode = \"both\"",
            "\"both\" is no mode: there are l1, l1+l2 and l2",
        ),
        ("servers = [\"a:1\"]\nsever = 1", "unknown field"),
    ];
    for (n, (section, told)) in cases.into_iter().enumerate() {
        let path = file(&format!("level-{n}.toml"), &format!("[level]\n{section}\n"));
        let output = run(&["check-config", "--config", path.to_str().unwrap()]).await;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{section}");
        assert!(errors.contains(told), "{section}\n{errors}");
        assert!(!errors.contains("sesame"), "{errors}");
    }
}
