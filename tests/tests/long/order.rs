//! The order of pushes over the wire, with crashes: histories of many tags go through one system, which is
//! killed now and then and started again on its data, while senders repeat what was not answered. `make
//! torture` runs 10 000 histories; `SEED=n HISTORIES=m make torture` runs m histories of another seed.

use chrono::SubsecRound as _;
use end_to_end::order::history::STEPS;
use end_to_end::order::{Run, System};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sam_local::crash_point::{CrashInjector, CrashPoint, Effect, When};
use sam_local::{Data, Time};
use stella::clock::{Clock as _, SystemClock};

use super::ALONE;

/// The number of histories that go through one system.
const BATCH: usize = 100;

/// The number of crashes of one system.
const CRASHES: usize = 6;

/// Runs the histories of a seed with these numbers through one system that crashes; how many requests were
/// queued, and how many were not answered.
fn batch(seed: u64, numbers: std::ops::Range<usize>) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::manual(SystemClock.now().trunc_subsecs(0));
    let mut random = StdRng::seed_from_u64(seed ^ ((numbers.start as u64) << 32));
    let (mut run, mut step) = (None, 0);
    for crashes in 0..=CRASHES {
        let crash_injector = CrashInjector::default();
        // Dropping the runtime ends all its tasks, as a crash ends a process.
        let process = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let is_complete = process.block_on(async {
            let data = Data::Folder(folder.path().to_owned());
            let system = System::start(data, &time, crash_injector.clone()).await;
            if run.is_none() {
                run = Some(Run::new(&system, seed, numbers.clone()).await);
            }
            let run = run.as_ref().expect("a run");
            if crashes < CRASHES {
                let when = if random.random_range(0..2_u8) == 0 { When::Before } else { When::After };
                let effect = Effect::Number(random.random_range(1..600));
                crash_injector.arm(CrashPoint { when, effect });
            }
            let rest = async {
                while step < STEPS {
                    run.step(&system, step).await;
                    step += 1;
                }
                run.drain(&system).await;
                run.check(&system).await;
            };
            tokio::select! {
                () = rest => true,
                () = crash_injector.crashed() => false,
            }
        });
        if is_complete {
            break;
        }
    }
    run.expect("a run").figures()
}

fn histories(seed: u64, count: usize) {
    let (mut queued, mut unanswered) = (0, 0);
    for first in (0..count).step_by(BATCH) {
        let figures = batch(seed, first..count.min(first + BATCH));
        queued += figures.0;
        unanswered += figures.1;
        println!("seed {seed}: {} of {count} histories", count.min(first + BATCH));
    }
    println!("seed {seed}: {count} histories, {queued} requests queued, {unanswered} not answered");
    assert!(queued > 0 && unanswered > 0, "some requests are queued, and some are cut off by crashes");
}

#[test]
fn tags_and_releases_follow_the_order_of_the_pushes_despite_crashes() {
    let _alone = ALONE.blocking_lock();
    histories(1, 200);
}

#[test]
#[ignore = "takes minutes: make torture"]
fn tags_and_releases_follow_the_order_of_the_pushes_despite_crashes_in_ten_thousand_histories() {
    let _alone = ALONE.blocking_lock();
    #[expect(clippy::disallowed_methods, reason = "the seed and the number are the caller's choice")]
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    histories(number("SEED").unwrap_or(2) as u64, number("HISTORIES").unwrap_or(10_000));
}
