//! Processor time of threads by name and of the process, and the memory in use (Linux).

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// Processor time: of the threads with one name, and of the whole process.
#[derive(Clone, Copy)]
pub struct Spent {
    pub named: Duration,
    pub process: Duration,
}

/// The processor time since the start of the process.
pub fn spent(name: &str) -> Spent {
    let mut named = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if read("comm").trim() == name {
            let nanos = read("schedstat").split(' ').next().and_then(|text| text.parse().ok());
            named += Duration::from_nanos(nanos.unwrap_or_default());
        }
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: utime and stime are the 12th and 13th, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Spent { named, process: Duration::from_millis(ticks * 10) }
}

/// The resident memory of the process, in MiB.
pub fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    kib / 1024.0
}

/// How long this machine takes for SHA-256 of 64 MiB, to compare machines by.
pub fn calibration() -> Duration {
    let megabyte = vec![7_u8; 1024 * 1024];
    let began = Instant::now();
    let mut hash = Sha256::new();
    for _ in 0..64 {
        hash.update(black_box(&megabyte));
    }
    black_box(hash.finalize());
    began.elapsed()
}
