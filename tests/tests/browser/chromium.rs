//! Drives Chromium by `WebDriver`. Elements are found by the text that a user reads.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stella_local::client::Client;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How often a test looks for something, every 0.1 seconds, before it fails.
const POLLS: u32 = 150;

/// The member that has an element's id in `WebDriver`'s answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A window of Chromium.
pub struct Chromium {
    webdriver: Client,
    session: String,
    driver: Child,
    _profile: TempDir,
}

/// An element of the page, by its id.
struct Element(String);

impl Chromium {
    /// Opens a window of this size.
    pub async fn open(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver: `make browser` installs it");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("a line").expect("the driver started");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile = tempfile::tempdir().expect("a folder");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--lang=en",
            &format!("--window-size={width},{height}"),
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted =
            json!({"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}});
        let webdriver = Client::new(&format!("http://127.0.0.1:{port}"), None);
        let body = json!({"capabilities": {"alwaysMatch": wanted}});
        let opened = webdriver.post("/session", &body).await.expect("an answer");
        let session = opened.body["value"]["sessionId"].as_str().expect("a window").to_owned();
        let own = Self { webdriver, session, driver, _profile: profile };
        // `--window-size` does not make a headless window this narrow.
        own.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height,
            "deviceScaleFactor": 1, "mobile": false}),
        )
        .await;
        own
    }

    /// Closes the window.
    pub async fn close(mut self) {
        self.ask(Method::DELETE, "", &json!({})).await.expect("closed");
        self.driver.kill().await.expect("ended");
    }

    /// Sends a command to the driver; the value of its answer.
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        let headers = [("content-type", "application/json")];
        let answer =
            self.webdriver.send(method, &path, &headers, body.to_string().into()).await.expect("an answer");
        let value = answer.body["value"].clone();
        if answer.status == StatusCode::OK { Ok(value) } else { Err(value["message"].to_string()) }
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.ask(Method::POST, path, &body).await
    }

    /// Runs a command of the `DevTools` protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", body).await.expect("a DevTools result")
    }

    /// Sets the preferred color scheme, `light` or `dark`.
    pub async fn prefers(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// The warnings and errors in the console since the last call.
    pub async fn console_errors(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await.expect("a log");
        let entries = log.as_array().cloned().unwrap_or_default();
        let bad = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        bad.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Opens a URL and waits until its page is loaded.
    pub async fn visit(&self, url: &str) {
        self.post("/url", json!({"url": url})).await.expect("a page");
        self.loaded().await;
    }

    /// Waits until the page has loaded its data.
    pub async fn loaded(&self) {
        let is_loaded = "const main = document.querySelector('main'); \
            return Boolean(main && main.querySelector('h1') && !main.hasAttribute('aria-busy'));";
        for _ in 0..POLLS {
            if self.run(is_loaded).await == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the page did not load: {}", self.text().await);
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.script("sync", script).await
    }

    /// Runs a script that passes its result to its last argument, a callback.
    pub async fn run_until_done(&self, script: &str) -> Value {
        self.script("async", script).await
    }

    async fn script(&self, kind: &str, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.post(&format!("/execute/{kind}"), body).await.expect("a script's result")
    }

    /// The visible text of the page.
    pub async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a text is visible.
    pub async fn sees(&self, text: &str) {
        for _ in 0..POLLS {
            if self.text().await.contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{text:?} never appeared: {}\n{:#?}", self.text().await, self.console_errors().await);
    }

    /// Does something with the first element at an `XPath` for which it succeeds; waits for one.
    async fn act(&self, path: &str, act: impl AsyncFn(&Element) -> Result<Value, String>) {
        let mut last = String::new();
        for _ in 0..POLLS {
            let wanted = json!({"using": "xpath", "value": path});
            let found = self.post("/elements", wanted).await.expect("a list");
            for element in found.as_array().into_iter().flatten().filter_map(|one| one[ELEMENT].as_str()) {
                // An element that is redrawn meanwhile is looked up again.
                match act(&Element(element.to_owned())).await {
                    Ok(_) => return,
                    Err(error) => last = error,
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nothing at {path} ({last}): {}\n{:#?}", self.text().await, self.console_errors().await);
    }

    /// Clicks the button, link or summary with this text.
    pub async fn click(&self, text: &str) {
        let path = format!("(//button|//a|//summary)[normalize-space()='{text}']");
        self.act(&path, async |found| self.post(&found.at("click"), json!({})).await).await;
    }

    /// Clicks the last button with this text: that of a dialog over the page.
    pub async fn click_last(&self, text: &str) {
        let path = format!("(//button[normalize-space()='{text}'])[last()]");
        self.act(&path, async |found| self.post(&found.at("click"), json!({})).await).await;
    }

    /// Clicks as a user does: the mouse button is down for 0.1 seconds.
    pub async fn press(&self, text: &str) {
        let path = format!("(//button|//a|//summary)[normalize-space()='{text}']");
        let press = async |found: &Element| {
            let moves = json!([{"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": {ELEMENT: found.0}},
                {"type": "pointerDown", "button": 0}, {"type": "pause", "duration": 100}, {"type": "pointerUp", "button": 0}]);
            let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves});
            self.post("/actions", json!({"actions": [mouse]})).await
        };
        self.act(&path, press).await;
    }

    fn field(label: &str) -> String {
        format!("//*[@id=//label[normalize-space()='{label}' or normalize-space()='{label} *']/@for]")
    }

    /// Fills in the field with this label.
    pub async fn fill(&self, label: &str, text: &str) {
        let type_it = async |found: &Element| {
            self.post(&found.at("clear"), json!({})).await?;
            self.post(&found.at("value"), json!({"text": text})).await
        };
        self.act(&Self::field(label), type_it).await;
    }

    /// Chooses an option of the field with this label.
    pub async fn choose(&self, label: &str, option: &str) {
        let path = format!("{}//option[normalize-space()='{option}']", Self::field(label));
        self.act(&path, async |found| self.post(&found.at("click"), json!({})).await).await;
    }

    /// Ticks the box with this label.
    pub async fn tick(&self, label: &str) {
        let path = format!("//input[@id=//label[starts-with(normalize-space(), '{label}')]/@for]");
        self.act(&path, async |found| self.post(&found.at("click"), json!({})).await).await;
    }

    /// A screenshot, as a PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let screenshot = self.ask(Method::GET, "/screenshot", &json!({})).await.expect("a screenshot");
        STANDARD.decode(screenshot.as_str().unwrap_or_default()).expect("base64")
    }

    /// All cookies of the browser.
    pub async fn cookies(&self) -> Vec<Value> {
        let all = self.devtools("Network.getAllCookies", json!({})).await;
        all["cookies"].as_array().cloned().unwrap_or_default()
    }
}

impl Element {
    fn at(&self, what: &str) -> String {
        format!("/element/{}/{what}", self.0)
    }
}
