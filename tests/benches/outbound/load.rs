//! The publisher and the receiver, in a process of their own so that their work is not counted.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use stella_local::client::Client;
use tokio::net::TcpListener;

/// How long to wait for the last deliveries before missing ones count as lost.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The results of one run.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// Seconds from the first request to the last delivery received.
    pub seconds: f64,
    pub received: u64,
    pub duplicates: u64,
    /// Milliseconds from the answer to a publish request until its delivery was received, sorted.
    pub latencies: Vec<f64>,
    /// Seconds from the start of the run at which deliveries were received, sorted.
    pub times: Vec<f64>,
}

impl Outcome {
    /// The percentile of the latencies, in milliseconds.
    pub fn latency(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or(f64::NAN)
    }
}

/// A handle of the load process.
pub struct Load {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The address of its receiver.
    pub url: String,
}

impl Load {
    pub fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("load")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        output.read_line(&mut url).unwrap();
        Self { child, input, output, url: url.trim().to_owned() }
    }

    /// Publishes `events` events of a type over `connections` connections, and waits for `expected`
    /// deliveries.
    pub fn run(
        &mut self,
        base: &str,
        key: &str,
        event: &str,
        events: u64,
        connections: u64,
        expected: u64,
    ) -> Outcome {
        let request = json!({"base": base, "key": key, "event": event, "events": events,
            "connections": connections, "expected": expected});
        writeln!(self.input, "{request}").unwrap();
        let mut outcome = String::new();
        self.output.read_line(&mut outcome).unwrap();
        serde_json::from_str(&outcome).unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Log {
    /// By delivery id: when it was last received, and the number of its event.
    arrivals: Mutex<HashMap<String, (Instant, u64)>>,
    count: AtomicU64,
    duplicates: AtomicU64,
}

async fn receive(State(log): State<Arc<Log>>, headers: http::HeaderMap, body: Bytes) -> StatusCode {
    let now = Instant::now();
    let id = headers.get("x-stella-delivery").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let number = sequence(&body);
    let before = log.arrivals.lock().unwrap().insert(id.to_owned(), (now, number));
    let counter = if before.is_some() { &log.duplicates } else { &log.count };
    counter.fetch_add(1, Ordering::SeqCst);
    StatusCode::OK
}

/// The sequence number in an event's data.
fn sequence(body: &[u8]) -> u64 {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let digits = text.split("\"sequence\":").nth(1).unwrap_or_default();
    let end = digits.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_default()
}

/// The load process: receives deliveries, and publishes as each line of standard input requests.
pub fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let log = Arc::new(Log::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(Arc::clone(&log));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let lines = std::io::stdin().lines();
        for line in lines {
            let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
            println!("{}", serde_json::to_string(&publish(&log, &request).await).unwrap());
        }
    });
}

async fn publish(log: &Log, request: &Value) -> Outcome {
    let number = |name: &str| request[name].as_u64().unwrap();
    let text = |name: &str| request[name].as_str().unwrap().to_owned();
    log.arrivals.lock().unwrap().clear();
    log.count.store(0, Ordering::SeqCst);
    log.duplicates.store(0, Ordering::SeqCst);
    let kind = text("event");
    let mut data = kind.parse::<stella::domain::outbound::event_type::EventType>().unwrap().example();
    let missing = 1024_usize.saturating_sub(data.to_string().len() + 40);
    data["padding"] = json!("x".repeat(missing));
    let (next, events) = (AtomicU64::new(0), number("events"));
    let client = Client::new(&text("base"), Some(&text("key")));
    let began = Instant::now();
    let callers = (0..number("connections")).map(|_| async {
        let mut accepted = Vec::new();
        loop {
            let sequence = next.fetch_add(1, Ordering::SeqCst);
            if sequence >= events {
                return accepted;
            }
            let mut data = data.clone();
            data["sequence"] = json!(sequence);
            let answer = client.post("/api/v1/events", &json!({"event": kind, "data": data})).await.unwrap();
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
            accepted.push((sequence, Instant::now()));
        }
    });
    let accepted: HashMap<u64, Instant> = join_all(callers).await.into_iter().flatten().collect();
    let deadline = Instant::now() + TIMEOUT;
    while log.count.load(Ordering::SeqCst) < number("expected") && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let arrivals = log.arrivals.lock().unwrap();
    let millis = |(at, number): &(Instant, u64)| {
        let accepted = accepted.get(number)?;
        Some(at.saturating_duration_since(*accepted).as_secs_f64() * 1000.0)
    };
    let mut latencies: Vec<f64> = arrivals.values().filter_map(millis).collect();
    latencies.sort_by(f64::total_cmp);
    let mut times: Vec<f64> = arrivals.values().map(|(at, _)| (*at - began).as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    Outcome {
        seconds: times.last().copied().unwrap_or_default(),
        received: log.count.load(Ordering::SeqCst),
        duplicates: log.duplicates.load(Ordering::SeqCst),
        latencies,
        times,
    }
}
