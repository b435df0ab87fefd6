//! The order of pushes over the wire: what a tag points at and what is released depends on when pushes were
//! made, not on when they are reported, repeated or processed.

mod bodies;
mod cases;
mod upgrade;

use std::time::Instant;

use end_to_end::order::{Run, System};
use sam_local::crash_point::CrashInjector;
use sam_local::{Data, Time};

/// A clock that stands still, at a whole second.
fn held_clock() -> Time {
    use chrono::SubsecRound as _;
    use stella::clock::{Clock as _, SystemClock};
    Time::manual(SystemClock.now().trunc_subsecs(0))
}

#[tokio::test]
async fn tags_and_releases_follow_the_order_of_the_pushes_in_two_hundred_histories() {
    let began = Instant::now();
    let system = System::start(Data::Memory, &held_clock(), CrashInjector::default()).await;
    let run = Run::new(&system, 1, 0..200).await;
    run.complete(&system).await;
    let (queued, _) = run.figures();
    println!("200 histories in {:?}, {queued} requests queued", began.elapsed());
    assert!(queued > 50, "some requests are queued");
}
