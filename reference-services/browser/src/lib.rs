//! browser — a real browser for the tests of the screens: Chromium without a window, clicked and typed into as a person would.
//!
//! Where there is no Chromium, [`Page::open`] says so and the test has nothing to look at. It speaks the DevTools protocol.

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What the program may be called.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
/// It starts within a second on a machine with nothing else to do.
const START: Duration = Duration::from_secs(60);
/// How long to wait for something to appear on a page.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A page in a browser of its own, which ends with it.
#[derive(Debug)]
pub struct Page {
    socket: WebSocketStream<TcpStream>,
    session: String,
    requests: u64,
    _browser: Child,
    _profile: TempDir,
}

impl Page {
    /// Opens an address in a window of this width. None, said on stderr, if there is no Chromium on this machine.
    pub async fn open(url: &str, width: u32) -> Result<Option<Page>> {
        let profile = tempfile::tempdir()?;
        let Some(mut browser) = NAMES.iter().find_map(|name| started(name, &profile)) else {
            // Not `eprintln!`, which tests keep to themselves when they pass.
            let names = NAMES.join(", ");
            writeln!(
                std::io::stderr(),
                "skipped: none of {names} is on this machine"
            )?;
            return Ok(None);
        };
        let address = timeout(START, address(&mut browser)).await;
        let address = address.context("Chromium did not start in time")??;
        let place = address.trim_start_matches("ws://");
        let place = place.split_once('/').map_or(place, |(place, _)| place);
        let stream = TcpStream::connect(place).await?;
        let (socket, _) = tokio_tungstenite::client_async(&address, stream).await?;
        let mut page = Page {
            socket,
            session: String::new(),
            requests: 0,
            _browser: browser,
            _profile: profile,
        };
        let target = page
            .command("Target.createTarget", json!({"url": "about:blank"}))
            .await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = page.command("Target.attachToTarget", attach).await?;
        page.session = attached["sessionId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let window =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        page.command("Emulation.setDeviceMetricsOverride", window)
            .await?;
        page.command("Page.navigate", json!({"url": url})).await?;
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await?;
        Ok(Some(page))
    }

    /// What an expression is on the page.
    pub async fn value(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.command("Runtime.evaluate", asked).await?;
        if let Some(exception) = answer.get("exceptionDetails") {
            bail!("{expression}: {exception}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true. What it says on the page by then is in the error.
    pub async fn until(&mut self, expression: &str) -> Result<()> {
        let waiting = async {
            while self.value(expression).await? != json!(true) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(())
        };
        match timeout(PATIENCE, waiting).await {
            Ok(done) => done,
            Err(_) => {
                let text = self.value("document.body.innerText").await?;
                bail!("never: {expression}\n{}", text.as_str().unwrap_or_default())
            }
        }
    }

    /// Waits until an element says this.
    pub async fn says(&mut self, selector: &str, text: &str) -> Result<()> {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "document.querySelector({selector})?.innerText.includes({text}) === true"
        ))
        .await
    }

    /// Clicks at the middle of an element that is there, once it can be clicked.
    pub async fn click(&mut self, selector: &str) -> Result<()> {
        let element = format!("document.querySelector({})", json!(selector));
        self.until(&format!("{element} !== null && !{element}.disabled"))
            .await?;
        let middle = format!(
            "(() => {{ const it = {element}; it.scrollIntoView({{block: 'center'}}); const box = it.getBoundingClientRect(); \
             return {{x: box.x + box.width / 2, y: box.y + box.height / 2}}; }})()"
        );
        let mut event = self.value(&middle).await?;
        event["button"] = json!("left");
        event["clickCount"] = json!(1);
        for kind in ["mousePressed", "mouseReleased"] {
            event["type"] = json!(kind);
            self.command("Input.dispatchMouseEvent", event.clone())
                .await?;
        }
        Ok(())
    }

    /// Types into a field in place of what is there.
    pub async fn write(&mut self, selector: &str, text: &str) -> Result<()> {
        self.click(selector).await?;
        let select = format!("document.querySelector({}).select()", json!(selector));
        self.value(&select).await?;
        self.command("Input.insertText", json!({"text": text}))
            .await?;
        Ok(())
    }

    /// Looks as a person does who likes it dark, or light.
    pub async fn colours(&mut self, scheme: &str) -> Result<()> {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.command("Emulation.setEmulatedMedia", json!({"features": features}))
            .await?;
        Ok(())
    }

    async fn command(&mut self, method: &str, params: Value) -> Result<Value> {
        self.requests += 1;
        let mut request = json!({"id": self.requests, "method": method, "params": params});
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(request.to_string())).await?;
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else {
                continue;
            };
            let answer: Value = serde_json::from_str(&text)?;
            if answer["id"] == self.requests {
                if let Some(why) = answer.get("error") {
                    bail!("{method}: {why}");
                }
                return Ok(answer["result"].clone());
            }
        }
        bail!("Chromium ended in the middle of {method}")
    }
}

/// The program, if there is one of this name. A sandbox of its own is more than many test machines allow.
fn started(name: &str, profile: &TempDir) -> Option<Child> {
    Command::new(name)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args(["--no-first-run", "--remote-debugging-port=0", "about:blank"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .ok()
}

/// Where it listens: it says so on stderr.
async fn address(browser: &mut Child) -> Result<String> {
    let stderr = browser.stderr.take().context("stderr is piped")?;
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            let address = address.to_owned();
            // It goes on talking, and must not wait for somebody to listen.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address);
        }
    }
    bail!("Chromium ended at once")
}
