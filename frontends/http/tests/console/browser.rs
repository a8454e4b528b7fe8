//! A browser without a window, driven by its own protocol over a web socket.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One page of a browser. The process ends with it.
pub(crate) struct Browser {
    _child: Child,
    folder: PathBuf,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    n_sent: u64,
    /// What went wrong in the page: exceptions, and what its policy forbade.
    pub(crate) complaints: Vec<String>,
}

/// Beyond this a step has failed.
const PATIENCE: Duration = Duration::from_secs(60);

impl Browser {
    /// Starts one; none if there's none installed.
    pub(crate) async fn start() -> Option<Browser> {
        let folder = std::env::temp_dir().join(format!("larder-console-{}", std::process::id()));
        let mut child = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", folder.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
            let line = line.expect("a browser tells where it listens");
            if let Some((_, address)) = line.split_once("DevTools listening on ") {
                break address.to_owned();
            }
        };
        // What it says later must go somewhere, or it would wait for us.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (socket, _) = connect_async(address).await.unwrap();
        let mut browser = Browser {
            _child: child,
            folder,
            socket,
            session: None,
            n_sent: 0,
            complaints: Vec::new(),
        };
        let target = browser
            .call("Target.createTarget", json!({ "url": "about:blank" }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({})).await;
        }
        Some(browser)
    }

    /// Calls a method of the protocol and gives its result; events on the way are looked at for complaints.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.n_sent += 1;
        let asked = params.to_string();
        let mut message = json!({ "id": self.n_sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone().into();
        }
        let message = Message::text(message.to_string());
        self.socket.send(message).await.unwrap();
        // Of the call as a whole: a page that goes on complaining is no sign of life.
        let until = Instant::now() + PATIENCE;
        loop {
            let message = timeout_at(until, self.socket.next()).await;
            let message = message.unwrap_or_else(|_| panic!("not answered: {method} {asked}"));
            let message = message.unwrap().unwrap();
            let Ok(text) = message.to_text() else {
                continue;
            };
            let answer: Value = serde_json::from_str(text).unwrap_or_default();
            if answer["id"] == self.n_sent {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            let params = &answer["params"];
            match answer["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(params.to_string()),
                Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                    self.complaints.push(params["entry"]["text"].to_string());
                }
                _ => {}
            }
        }
    }

    /// The value of an expression in the page; of a promise, when it is there.
    pub(crate) async fn value(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits in the page until an expression is true.
    pub(crate) async fn until(&mut self, condition: &str) {
        let promise = format!(
            "new Promise((done) => {{ const look = () => ({condition}) ? done(true) : setTimeout(look, 50); look(); }})"
        );
        self.value(&promise).await;
    }

    pub(crate) async fn press(&mut self, key: &str, text: Option<&str>, code: u32) {
        let mut down =
            json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code });
        if let Some(text) = text {
            down["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", down).await;
        let up = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", up).await;
    }

    /// A screen of this size, in pixels of the page.
    pub(crate) async fn resize(&mut self, width: u32, height: u32, mobile: bool) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Writes the whole page as it is shown, where `CONSOLE_SCREENSHOTS` names a folder.
    pub(crate) async fn picture(&mut self, name: &str) {
        use base64::Engine as _;
        let Some(folder) = std::env::var_os("CONSOLE_SCREENSHOTS") else {
            return;
        };
        let size = "({ x: 0, y: 0, scale: 1, width: innerWidth, height: document.documentElement.scrollHeight })";
        let clip = self.value(size).await;
        let params = json!({ "captureBeyondViewport": true, "clip": clip });
        let answer = self.call("Page.captureScreenshot", params).await;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap());
        std::fs::write(PathBuf::from(folder).join(name), bytes.unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser may still write into it; what stays is in the folder for such things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
