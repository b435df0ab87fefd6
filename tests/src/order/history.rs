//! Generated histories: pushes of one tag, and the requests that report them, in any order.

use chrono::{DateTime, Duration, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::senders::{self, Sender};

/// The number of steps of a history. The clock is advanced after each.
pub const STEPS: usize = 14;

/// A push of the tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Who reports it.
    pub sender: Sender,
    /// What the tag points at after it.
    pub content: u8,
    /// What a git tag pointed at before it.
    pub before: Option<u8>,
    /// When it was made, in seconds after the beginning, if the sender has a time.
    pub made: Option<i64>,
}

/// A request that reports a push.
#[derive(Debug, Clone)]
pub struct Request {
    /// The number of the push.
    pub push: usize,
    /// The delivery id, of senders that have one.
    pub delivery: String,
}

/// A history of one tag.
#[derive(Debug, Clone)]
pub struct History {
    /// The name of its component and repository.
    pub name: String,
    /// Whether it is of a git tag; otherwise of an image.
    pub is_git: bool,
    /// The pushes.
    pub pushes: Vec<Push>,
    /// The request of each step, if there is one.
    pub requests: [Option<Request>; STEPS],
}

impl History {
    /// The history with this number of a seed.
    #[must_use]
    pub fn generate(seed: u64, number: usize) -> Self {
        let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number as u64);
        let mut random = StdRng::seed_from_u64(mixed);
        let is_git = number % 3 == 2;
        let pushes = if is_git { git_tags(&mut random) } else { images(&mut random) };
        let requests = requests(&mut random, &pushes);
        Self { name: format!("h{number}"), is_git, pushes, requests }
    }

    /// The body of a push, with the time at which the history began.
    #[must_use]
    pub fn body(&self, push: &Push, began: DateTime<Utc>) -> String {
        if self.is_git {
            return senders::git_tag(push.sender, &self.name, push.content, push.before);
        }
        senders::image(push.sender, &self.name, push.content, push.made_at(began))
    }

    /// The request of a step as a line of text.
    #[must_use]
    pub fn line(&self, step: usize) -> Option<String> {
        let request = self.requests[step].as_ref()?;
        Some(format!(
            "step {step}: push {} {:?} as {}",
            request.push, self.pushes[request.push], request.delivery
        ))
    }
}

impl Push {
    /// When it was made.
    #[must_use]
    pub fn made_at(&self, began: DateTime<Utc>) -> Option<DateTime<Utc>> {
        Some(began + Duration::seconds(self.made?))
    }
}

/// Pushes of an image by four senders. Of those with a time, some have the same time, and some a time that is
/// still to come when they are reported; and some are reported by both senders.
fn images(random: &mut StdRng) -> Vec<Push> {
    const SENDERS: [Sender; 4] = [Sender::Harbor, Sender::Timed, Sender::Artifactory, Sender::Numbered];
    let mut pushes: Vec<Push> = Vec::new();
    for _ in 0..random.random_range(2..=7) {
        let sender = SENDERS[random.random_range(0..4_usize)];
        let content = random.random_range(0..3_u8);
        if !sender.has_time() {
            pushes.push(Push { sender, content, before: None, made: None });
            continue;
        }
        // What both senders report has a time of its own, which is past.
        let is_of_both = random.random_range(0..4_u8) == 0;
        let made = if is_of_both {
            -2 * random.random_range(1..300_i64)
        } else {
            30 * random.random_range(-10..20_i64) + 1
        };
        let push = Push { sender, content, before: None, made: Some(made) };
        let has = |made| pushes.iter().any(|known| known.made == made);
        if pushes.iter().any(|known| known.made == push.made && known.content == content)
            || is_of_both && has(push.made)
        {
            continue;
        }
        if is_of_both {
            let other = if sender == Sender::Harbor { Sender::Timed } else { Sender::Harbor };
            pushes.push(Push { sender: other, ..push.clone() });
        }
        pushes.push(push);
    }
    if pushes.is_empty() { images(random) } else { pushes }
}

/// Pushes of a git tag at two code hosts, each of which knows the commit before. No move happens twice:
/// GitHub and GitLab report a second one in the same words.
fn git_tags(random: &mut StdRng) -> Vec<Push> {
    let mut pushes: Vec<Push> = Vec::new();
    let mut at: [Option<u8>; 2] = [None, None];
    for _ in 0..random.random_range(2..=7) {
        let host = random.random_range(0..2_usize);
        let sender = [Sender::GitHub, Sender::GitLab][host];
        let content = random.random_range(0..3_u8);
        let push = Push { sender, content, before: at[host], made: None };
        if push.before != Some(content) && !pushes.contains(&push) {
            at[host] = Some(content);
            pushes.push(push);
        }
    }
    pushes
}

/// The requests: each push at least once, some again, in any order.
fn requests(random: &mut StdRng, pushes: &[Push]) -> [Option<Request>; STEPS] {
    let mut requests: [Option<Request>; STEPS] = std::array::from_fn(|_| None);
    let mut report = |random: &mut StdRng, push: usize, delivery: String| {
        let free: Vec<usize> = (0..STEPS).filter(|step| requests[*step].is_none()).collect();
        if !free.is_empty() {
            requests[free[random.random_range(0..free.len())]] = Some(Request { push, delivery });
        }
    };
    for (number, _) in pushes.iter().enumerate() {
        report(random, number, format!("d{number}"));
    }
    for _ in 0..random.random_range(0..6) {
        let push = random.random_range(0..pushes.len());
        let is_other = random.random_range(0..2_u8) == 0;
        let delivery =
            if is_other { format!("d{push}-{}", random.random::<u32>()) } else { format!("d{push}") };
        report(random, push, delivery);
    }
    requests
}
