//! The commands: what they print, and how they end.

use std::path::Path;
use std::process::{Output, Stdio};

use larder_gateway::program::Settings;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::support::{Backend, Folder, get};

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-gateway"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

async fn run(args: &[&str]) -> Output {
    program().args(args).output().await.unwrap()
}

/// How it ended, and what it printed: output and errors.
pub(crate) async fn told(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(args).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

pub(crate) const LOOKUP: &str = r#"<inbound>
    <cache-lookup-value key="@("user-" + context.Request.Headers.GetValueOrDefault("X-User","nobody"))" variable-name="v" />
    <choose>
        <when condition="@(!context.Variables.ContainsKey("v"))">
            <cache-store-value key="@("user-" + context.Request.Headers.GetValueOrDefault("X-User","nobody"))" value="kept" duration="60" />
        </when>
    </choose>
</inbound>
"#;

const BROKEN: &str = r#"<inbound>
    <cache-lookup-value key="k" />
    <cache-store-value key="@(1 +)" value="v" duration="60" />
</inbound>
"#;

#[tokio::test]
async fn check_prints_findings_with_their_places_and_ends_with_one() {
    let good = Folder::new().with("good.xml", LOOKUP);
    let expected = (Some(0), "0 errors, 0 warnings\n".to_owned(), String::new());
    assert_eq!(told(&["check", good.text()]).await, expected);

    // What is warned of is told, and doesn't count as an error.
    let warned = Folder::new().with("w.xml", &LOOKUP.replace("60", "0"));
    let (code, out, errors) = told(&["check", warned.text()]).await;
    assert_eq!((code, &*errors), (Some(0), ""), "{out}");
    let place = format!("{}:5:", warned.0.join("w.xml").display());
    assert!(
        out.starts_with(&place) && out.contains("warning: "),
        "{out}"
    );
    assert!(out.ends_with("0 errors, 1 warning\n"), "{out}");

    let bad = Folder::new().with("a.xml", LOOKUP).with("b.xml", BROKEN);
    let (code, out, _) = told(&["check", bad.text()]).await;
    assert_eq!(code, Some(1), "{out}");
    let lines: Vec<_> = out.lines().collect();
    let file = bad.0.join("b.xml");
    let first = format!("{}:2:5: error: ", file.display());
    assert!(lines[0].starts_with(&first), "{out}");
    assert!(lines[0].contains("variable-name"), "{out}");
    assert!(
        lines[1].starts_with(&format!("{}:3:", file.display())),
        "{out}"
    );
    assert_eq!(lines[2], "2 errors, 0 warnings");
    // It isn't served either.
    let (code, out, errors) = told(&["serve", bad.text(), "--listen", "127.0.0.1:0"]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(errors.contains("b.xml:2:5: error: "), "{errors}");
}

#[tokio::test]
async fn what_cannot_be_read_ends_with_two() {
    let empty = Folder::new();
    let missing = Folder::new().with(
        "gateway.toml",
        "[[azure.apis]]\nid = \"a\"\ndocument = \"nowhere.xml\"\n",
    );
    let misspelt = Folder::new().with("gateway.toml", "listne = \"127.0.0.1:0\"\n");
    let method = Folder::new().with("a.xml", LOOKUP).with(
        "gateway.toml",
        "[[azure.apis]]\nid = \"a\"\ndocument = \"a.xml\"\noperations = [{ id = \"o\", method = \"G T\", path = \"/\" }]\n",
    );
    for (folder, says) in [
        (&empty, "neither"),
        (&missing, "nowhere.xml"),
        (&misspelt, "listne"),
        (&method, "method"),
    ] {
        let (code, _, errors) = told(&["check", folder.text()]).await;
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }
    let (code, _, errors) = told(&["serve"]).await;
    assert_eq!(code, Some(2), "{errors}");
    let good = Folder::new().with("a.xml", LOOKUP);
    let (code, _, errors) = told(&["explain", good.text(), "GET nothing"]).await;
    assert_eq!(code, Some(2));
    assert!(errors.contains("slash"), "{errors}");
    let (code, _, errors) = told(&["explain", good.text(), "nowhere.txt"]).await;
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("a request such as \"GET /path\""),
        "{errors}"
    );
}

#[tokio::test]
async fn explain_calls_what_ended_a_request_an_error_and_no_warning() {
    let fails =
        "<inbound><set-variable name=\"v\" value=\"@(&quot;a&quot;.Split(' ')[1])\" /></inbound>";
    let folder = Folder::new().with("a.xml", fails);
    let (code, out, errors) = told(&["explain", folder.text(), "GET /", "--offline"]).await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.contains(" error: the index 1 is out of range"), "{out}");
}

#[tokio::test]
async fn who_has_read_enough_of_what_is_told_is_no_error() {
    let folder = Folder::new().with("a.xml", LOOKUP);
    let mut command = program();
    command.args([
        "explain",
        folder.text(),
        "GET /",
        "--offline",
        "--times",
        "2",
    ]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*errors), (Some(0), ""));
}

#[tokio::test]
async fn explain_tells_step_by_step_with_keys_and_hits() {
    let folder = Folder::new().with("a.xml", LOOKUP).with(
        "request.txt",
        "GET /x?y=1 HTTP/1.1\nHost: here\nX-User: u42\n\n",
    );
    let request = folder.0.join("request.txt");
    let (code, out, errors) = told(&[
        "explain",
        folder.text(),
        request.to_str().unwrap(),
        "--times",
        "2",
        "--offline",
        "--backend",
        "http://backend.example/",
    ])
    .await;
    assert_eq!(code, Some(0), "{errors}");
    let expected = "\
GET /x?y=1
     2:5  cache-lookup-value: miss: user-u42
     3:5  choose: branch 1 is taken
    5:13  cache-store-value: stored: user-u42
          backend: GET http://backend.example/x?y=1: 200 OK
-> 200 OK, 0 bytes

GET /x?y=1
     2:5  cache-lookup-value: hit: user-u42 -> v = \"kept\"
     3:5  choose: no branch is taken
          backend: GET http://backend.example/x?y=1: 200 OK
-> 200 OK, 0 bytes
";
    assert_eq!(out, expected);

    // Asked in earnest, the backend is.
    let backend = Backend::saying("told").await;
    let url = backend.url();
    let args = ["explain", folder.text(), "GET /z", "--backend", &url];
    let (code, out, _) = told(&args).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("miss: user-nobody"), "{out}");
    assert!(out.ends_with("-> 200 OK, 4 bytes\n"), "{out}");
    assert_eq!(backend.lines(), ["GET /z"]);
}

#[tokio::test]
async fn what_the_readme_shows_is_what_is_printed() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let readme = include_str!("../../README.md");
    let shown = readme.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let mut n_commands = 0;
    for part in shown.split("$ larder-gateway ").skip(1) {
        let (line, expected) = part.split_once('\n').unwrap();
        let mut command = program();
        command.current_dir(root).args(line.split(' '));
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{line}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.trim_end(), expected.trim_end(), "{line}");
        n_commands += 1;
    }
    assert_eq!(n_commands, 2);
}

/// A gateway that has been started, where it listens, and its log.
struct Started {
    child: Child,
    address: std::net::SocketAddr,
    log: Lines<BufReader<ChildStderr>>,
}

impl Started {
    async fn with(args: &[&str]) -> Self {
        let mut command = program();
        command.args(args).args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = log.next_line().await.unwrap().unwrap();
        let address = line
            .split("address=")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        let address = address.split(' ').next().unwrap().parse().unwrap();
        Self {
            child,
            address,
            log,
        }
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let done = Command::new("kill").args([name, &id]).status().await;
        assert!(done.unwrap().success());
    }

    /// Reads the log up to a line that says something.
    async fn says(&mut self, part: &str) {
        while !self.log.next_line().await.unwrap().unwrap().contains(part) {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_a_folder_reads_it_anew_and_ends_with_zero() {
    let backend = Backend::saying("from the backend").await;
    let folder = Folder::new().with("policy.xml", LOOKUP);
    let url = backend.url();
    let mut started = Started::with(&["serve", folder.text(), "--backend", &url]).await;
    assert_eq!(get(started.address, "/").await.body, "from the backend");

    let answer = "<inbound><return-response><set-body>new</set-body></return-response></inbound>";
    let folder = folder.with("policy.xml", answer);
    started.signal("-HUP").await;
    started.says("anew").await;
    assert_eq!(get(started.address, "/").await.body, "new");

    // What a reload doesn't take up is told.
    let folder = folder.with("policy.xml", answer).with(
        "gateway.toml",
        "requests_max = 7\n[backends]\nidle_max = 3\n[apigee]\ntoken = \"other\"\n",
    );
    started.signal("-HUP").await;
    started
        .says("waits for the next start setting=\"requests_max\"")
        .await;
    started
        .says("setting=\"backends, but hosts and timeout_ms\"")
        .await;
    started
        .says("setting=\"apigee, but bundles and caches\"")
        .await;
    started.says("anew").await;

    let _folder = folder.with("policy.xml", BROKEN);
    started.signal("-HUP").await;
    started.says("stay as they are").await;
    assert_eq!(get(started.address, "/").await.body, "new");

    started.signal("-TERM").await;
    assert_eq!(started.child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn an_api_without_a_backend_is_told_at_the_start() {
    let folder = Folder::new().with("policy.xml", LOOKUP);
    let mut started = Started::with(&["serve", folder.text()]).await;
    started.says("it has no backend").await;
    assert_eq!(get(started.address, "/").await.status, 500);
}

#[tokio::test]
async fn the_example_of_settings_holds() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("larder-gateway.example.toml");
    let (code, _, errors) = told(&["check", "--config", example.to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{errors}");
    // What the example has commented out are the defaults.
    let shown = std::fs::read_to_string(&example).unwrap();
    let defaults: String = shown
        .lines()
        .map(|line| line.strip_prefix("#= ").unwrap_or(line).to_owned() + "\n")
        .collect();
    assert!(defaults.contains("\nlisten = "));
    let folder = Folder::new().with("gateway.toml", &defaults);
    let read = |path: &Path| {
        let mut settings = Settings::read(Some(path)).unwrap();
        settings.folder = "".into();
        settings
    };
    assert_eq!(read(&folder.0.join("gateway.toml")), read(&example));
    // So are those of the level, once its section is there.
    let section: String = shown
        .lines()
        .skip_while(|line| *line != "# [level]")
        .map_while(|line| line.strip_prefix("# "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let folder = Folder::new().with("section.toml", &section);
    let level = read(&folder.0.join("section.toml")).level.unwrap();
    let known = larder_serve::Level {
        servers: vec!["127.0.0.1:6379".into()],
        ..Default::default()
    };
    assert_eq!(level, known);
}
