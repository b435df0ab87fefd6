//! What a tag must be after a history, computed from the set of its pushes, and the checks against it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use stella::domain::shared::time::timestamp;

use super::history::{History, Push};
use super::senders::{Sender, commit, commit_time, digest};

/// A request that was sent.
#[derive(Debug, Clone)]
pub struct Reception {
    /// The number of the history.
    pub history: usize,
    /// The step.
    pub step: usize,
    /// The number of the push that it reported.
    pub push: usize,
    /// Its delivery id.
    pub delivery: String,
    /// When it was received.
    pub at: DateTime<Utc>,
    /// What was done with it. None if it was not answered because of a crash.
    pub outcome: Option<Outcome>,
}

/// What was done with a request.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The receipt.
    pub receipt: String,
    /// Whether it was answered 202.
    pub was_queued: bool,
    /// The final answer.
    pub answer: Value,
}

impl Outcome {
    fn releases(&self) -> impl Iterator<Item = String> + '_ {
        self.answer["results"][0]["releases"].as_array().into_iter().flatten().map(text)
    }
}

/// The place of a push: when it was made, when it was received, and its content.
type Place = (DateTime<Utc>, DateTime<Utc>, String);

/// A push that was processed.
#[derive(Debug, Clone)]
struct Processed<'a> {
    push: &'a Push,
    at: DateTime<Utc>,
    /// When it was processed, if it was answered at once.
    is_direct: bool,
    releases: Vec<String>,
}

/// A push as it counts, after repetitions at other configs are put together.
#[derive(Debug, Clone)]
struct Counted {
    place: Place,
    pushed_at: Option<DateTime<Utc>>,
    sender: Sender,
}

/// Checks the state of a tag and its releases after a history.
///
/// # Errors
/// What is wrong.
pub fn check(
    history: &History,
    began: DateTime<Utc>,
    receptions: &[Reception],
    version: &Value,
    releases: &[Value],
) -> Result<(), String> {
    let processed = processed(history, receptions)?;
    let counted = counted(&processed, began);
    check_entries(&counted, version)?;
    check_releases(&processed, began, &counted, version, releases)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// By what a repetition is recognised.
fn key(push: &Push, delivery: &str) -> String {
    match push.sender {
        Sender::Numbered => format!("{:?} {delivery}", push.sender),
        sender => format!("{sender:?} {:?} {} {:?}", push.before, push.content, push.made),
    }
}

/// The pushes that were processed, each once.
fn processed<'a>(history: &'a History, receptions: &[Reception]) -> Result<Vec<Processed<'a>>, String> {
    let mut groups: BTreeMap<String, Vec<&Reception>> = BTreeMap::new();
    for reception in receptions {
        let key = key(&history.pushes[reception.push], &reception.delivery);
        groups.entry(key).or_default().push(reception);
    }
    let mut all = Vec::new();
    for (key, group) in groups {
        all.extend(processed_once(history, &group).map_err(|wrong| format!("{key}: {wrong}"))?);
    }
    Ok(all)
}

fn processed_once<'a>(history: &'a History, group: &[&Reception]) -> Result<Vec<Processed<'a>>, String> {
    let push = &history.pushes[group[0].push];
    let mut known: BTreeMap<String, Processed<'a>> = BTreeMap::new();
    for (reception, outcome) in answered(group) {
        if outcome.answer["action"] == "processed" {
            let releases = outcome.releases().collect();
            let one = Processed { push, at: reception.at, is_direct: !outcome.was_queued, releases };
            known.insert(outcome.receipt.clone(), one);
        }
    }
    for (reception, outcome) in answered(group) {
        match outcome.answer["action"].as_str() {
            Some("processed") => continue,
            Some("duplicate") => {}
            _ => return Err(format!("not processed: {}", outcome.answer)),
        }
        let first = text(&outcome.answer["results"][0]["firstReceiptId"]);
        if !known.contains_key(&first) {
            let lost = group.iter().find(|one| one.outcome.is_none() && is_minted_at(&first, one.at));
            let Some(lost) = lost else { return Err(format!("a duplicate of {first}: {}", outcome.answer)) };
            let one =
                Processed { push, at: lost.at, is_direct: false, releases: outcome.releases().collect() };
            known.insert(first.clone(), one);
        }
        if push.sender == Sender::Artifactory && reception.at >= known[&first].at + Duration::minutes(5) {
            return Err(format!("a push after 5 minutes is a duplicate: {}", outcome.answer));
        }
    }
    let mut known: Vec<Processed<'a>> = known.into_values().collect();
    known.sort_by_key(|one| one.at);
    let apart = if push.sender == Sender::Artifactory { Duration::minutes(5) } else { Duration::days(8) };
    // A push that another config reported as well may be found to be known more than once.
    if !push.sender.has_time() && known.windows(2).any(|pair| pair[1].at < pair[0].at + apart) {
        return Err(format!("processed more than once: {known:?}"));
    }
    Ok(known)
}

fn answered<'r>(group: &'r [&'r Reception]) -> impl Iterator<Item = (&'r Reception, &'r Outcome)> {
    group.iter().filter_map(|reception| Some((*reception, reception.outcome.as_ref()?)))
}

/// Whether the receipt with this id was made at this time, to the millisecond.
fn is_minted_at(receipt: &str, at: DateTime<Utc>) -> bool {
    let hex: String = receipt.chars().filter(|c| *c != '-').take(12).collect();
    i64::from_str_radix(&hex, 16) == Ok(at.timestamp_millis())
}

/// The pushes in their order, newest first.
fn counted(processed: &[Processed<'_>], began: DateTime<Utc>) -> Vec<Counted> {
    let mut counted: Vec<Counted> = Vec::new();
    for one in processed {
        let place = place(one.push, one.at, began);
        let made = one.push.made_at(began);
        let same = counted
            .iter_mut()
            .find(|other| made.is_some() && other.pushed_at == made && other.place.2 == place.2);
        match same {
            // Of a push that was received twice the earlier request counts.
            Some(same) if place < same.place => (same.place, same.sender) = (place, one.push.sender),
            Some(_) => {}
            None => {
                let is_github = one.push.sender == Sender::GitHub;
                let pushed_at = made.or_else(|| is_github.then(|| commit_time(one.push.content)));
                counted.push(Counted { place, pushed_at, sender: one.push.sender });
            }
        }
    }
    counted.sort_by(|one, other| (&other.place, other.pushed_at).cmp(&(&one.place, one.pushed_at)));
    counted
}

fn place(push: &Push, received: DateTime<Utc>, began: DateTime<Utc>) -> Place {
    let at = push.made_at(began).map_or(received, |made| made.min(received));
    (at, received, content(push))
}

fn content(push: &Push) -> String {
    let is_git = matches!(push.sender, Sender::GitHub | Sender::GitLab);
    if is_git { commit(push.content) } else { digest(push.content) }
}

/// Compares what the tag points at, and pointed at, with the runs of the same content.
fn check_entries(counted: &[Counted], version: &Value) -> Result<(), String> {
    let mut expected: Vec<&Counted> = Vec::new();
    for push in counted {
        if expected.last().is_none_or(|newer| newer.place.2 != push.place.2) {
            expected.push(push);
        }
    }
    let expected: Vec<Value> = expected.into_iter().map(expected_view).collect();
    let actual: Vec<Value> = std::iter::once(version)
        .chain(version["history"].as_array().into_iter().flatten())
        .map(|entry| {
            let content = entry["digest"].as_str().or(entry["commit"].as_str());
            json!([content, entry["pushedAt"], entry["createdAt"], entry["source"]["provider"]])
        })
        .collect();
    if expected == actual {
        Ok(())
    } else {
        Err(format!("expected {expected:#?}\nbut the tag has {actual:#?}"))
    }
}

fn expected_view(push: &Counted) -> Value {
    json!([push.place.2, push.pushed_at.map(timestamp), timestamp(push.place.1), push.sender.provider()])
}

/// Checks the releases, newest first as they are listed.
fn check_releases(
    processed: &[Processed<'_>],
    began: DateTime<Utc>,
    counted: &[Counted],
    version: &Value,
    releases: &[Value],
) -> Result<(), String> {
    let mut places: BTreeMap<&String, Place> = BTreeMap::new();
    for one in processed {
        for release in &one.releases {
            places.insert(release, place(one.push, one.at, began));
        }
    }
    let mut released: Vec<(String, Place)> = Vec::new();
    for release in releases {
        let id = text(&release["id"]);
        let Some(place) = places.get(&id) else { return Err(format!("{id} is in no answer")) };
        let content = release["components"][0]["digest"].as_str().or(release["source"]["commit"].as_str());
        if content != Some(&place.2) {
            return Err(format!("{release} is not of its push {place:?}"));
        }
        released.push((text(&release["createdAt"]), place.clone()));
    }
    // Releases of one millisecond have no order.
    released.sort();
    if released.len() != places.len() {
        return Err(format!("{} releases were answered, {} exist", places.len(), released.len()));
    }
    if released.windows(2).any(|pair| pair[1].1 < pair[0].1) {
        return Err(format!("a release is of an older push than one before it: {released:#?}"));
    }
    let distinct: BTreeSet<&Place> = released.iter().map(|(_, place)| place).collect();
    if distinct.len() != released.len() {
        return Err(format!("a push is released twice: {released:#?}"));
    }
    check_newest(processed, began)?;
    let (last, current) =
        (released.last().map(|(_, place)| &place.2), counted.first().map(|push| &push.place.2));
    if last != current {
        return Err(format!("{current:?} is current and {last:?} was released last"));
    }
    let moves = version["retags"].as_u64().map(|retags| retags + 1);
    if moves == Some(released.len() as u64) { Ok(()) } else { Err(format!("{moves:?} moves, {released:?}")) }
}

/// Checks that what was released at once was newer than everything that had been processed at once before.
fn check_newest(processed: &[Processed<'_>], began: DateTime<Utc>) -> Result<(), String> {
    let direct = || processed.iter().filter(|one| one.is_direct);
    for one in direct().filter(|one| !one.releases.is_empty()) {
        let of = place(one.push, one.at, began);
        let newer = direct().find(|other| other.at < one.at && place(other.push, other.at, began) > of);
        if let Some(newer) = newer {
            return Err(format!("{one:?} was released after the newer {newer:?}"));
        }
    }
    Ok(())
}
