//! Starts the local stack in a process of its own, and reads the lines that it prints when it is ready.

use std::path::Path;
use std::process::Stdio;

use axum::Router;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// Starts the binary on a data directory, with the log filter `log`. Returns it with the lines that it
/// printed when it was ready.
pub(crate) async fn start(data: &Path, options: &[&str], stderr: Stdio, log: &str) -> (Child, Vec<String>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--port", "0", "--data-dir"])
        .arg(data)
        .args(options)
        .env("RUST_LOG", log)
        // A proxy in the environment of the tests must not change where deliveries go.
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut printed: Vec<String> = Vec::new();
    while printed.last().is_none_or(|line| !line.starts_with("tenant key: ")) {
        printed.push(lines.next_line().await.unwrap().expect("the lines that a start prints"));
    }
    (process, printed)
}

/// Serves a router on loopback. Returns its URL.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The rest of the printed line that begins with a label.
pub(crate) fn after(printed: &[String], label: &str) -> String {
    printed.iter().find_map(|line| line.strip_prefix(label)).expect("a line with this label").to_owned()
}
