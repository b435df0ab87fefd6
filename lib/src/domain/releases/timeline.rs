//! The pushes of one tag in their order, whatever the order in which they are received.
//!
//! The current content is that of the push with the greatest [`Place`](super::content::Place). Pushes of the same
//! content that follow one another are one entry. What is kept is a function of the set of pushes alone: the newest
//! ones, as many as make [`MAX_ENTRIES`] entries and are [`MAX_PUSHES`] at most. [`Timeline::horizon`] is the newest
//! time of a push that was dropped; a push that is not newer than it would have been dropped as well.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::content::{Content, EarlierPush, Instant};
use crate::domain::inbound::normalised::EventKind;

/// The number of entries that are kept: the current one and 20 of the history.
pub const MAX_ENTRIES: usize = 21;

/// The number of pushes that are kept.
pub const MAX_PUSHES: usize = 64;

/// The pushes of a tag. It has at least one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The kind of the tag.
    pub kind: EventKind,
    /// One entry for each run of pushes with the same content, newest first.
    pub entries: Vec<Content>,
    /// The newest time of a push that was dropped.
    pub horizon: Option<DateTime<Utc>>,
    /// The number of pushes that were dropped.
    pub dropped: u32,
}

impl Timeline {
    /// That of a tag with one push.
    #[must_use]
    pub fn new(kind: EventKind, first: Content) -> Self {
        Self { kind, entries: vec![first], horizon: None, dropped: 0 }
    }

    /// Adds a push. A push that is known, also from another sender, changes nothing but the time of its receipt,
    /// of which the earlier one counts.
    pub fn push(&mut self, push: Content, time_is_push: bool) {
        let mut pushes = self.pushes();
        let known = pushes.iter_mut().find(|known| is_same_push(known, &push, self.kind, time_is_push));
        if let Some(known) = known {
            receive_again(known, &push);
        } else {
            let is_beyond = self.horizon.is_some_and(|horizon| push.instant().at <= horizon);
            if is_beyond {
                self.dropped = self.dropped.saturating_add(1);
                return;
            }
            pushes.push(push);
        }
        self.set(pushes);
    }

    /// Each push by itself.
    fn pushes(&self) -> Vec<Content> {
        let mut pushes = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let newest = Content { earlier: Vec::new(), ..entry.clone() };
            for EarlierPush { instant, pushed_at, source } in entry.earlier.iter().cloned() {
                let (since, at) = (instant.received_at, Some(instant.at));
                let source = source.unwrap_or_else(|| newest.source.clone());
                pushes.push(Content { pushed_at, source, since, at, deleted: None, ..newest.clone() });
            }
            pushes.push(newest);
        }
        pushes
    }

    /// Makes the entries of these pushes, and drops what is more than is kept.
    fn set(&mut self, mut pushes: Vec<Content>) {
        pushes.sort_by_cached_key(|push| Reverse((push.place(), push.pushed_at)));
        attach_deletions(&mut pushes);
        if let Some(first) = self.first_beyond(&pushes) {
            let horizon = self.horizon.max(Some(first));
            let before = pushes.len();
            // Those of the same time go together: which of them is known twice would make a difference otherwise.
            let mut rest = pushes.split_off(1);
            rest.retain(|push| Some(push.instant().at) > horizon);
            pushes.extend(rest);
            let count = u32::try_from(before.saturating_sub(pushes.len())).unwrap_or(u32::MAX);
            (self.horizon, self.dropped) = (horizon, self.dropped.saturating_add(count));
        }
        self.entries.clear();
        for push in pushes {
            match self.entries.last_mut().filter(|newer| continues(newer, &push, self.kind)) {
                Some(newer) => {
                    complete(newer, &push);
                    let (instant, pushed_at) = (push.instant(), push.pushed_at);
                    let source = Some(push.source).filter(|source| *source != newer.source);
                    newer.earlier.push(EarlierPush { instant, pushed_at, source });
                }
                None => self.entries.push(push),
            }
        }
    }

    /// The time of the first of these pushes that is more than is kept.
    fn first_beyond(&self, newest_first: &[Content]) -> Option<DateTime<Utc>> {
        let mut entries = 0_usize;
        let mut newer: Option<&Content> = None;
        for (number, push) in newest_first.iter().enumerate() {
            if !newer.is_some_and(|newer| continues(newer, push, self.kind)) {
                entries = entries.saturating_add(1);
            }
            if number >= MAX_PUSHES || entries > MAX_ENTRIES {
                return Some(push.instant().at);
            }
            newer = Some(push);
        }
        None
    }

    /// Notes that the tag was deleted, if no push is newer. Whether that is so.
    pub fn delete(&mut self, deleted: Instant) -> bool {
        let Some(current) = self.entries.first_mut() else { return false };
        if deleted <= current.instant() {
            return false;
        }
        current.deleted = current.deleted.max(Some(deleted));
        true
    }
}

/// Whether a push belongs to the entry of the next newer one.
fn continues(newer: &Content, push: &Content, kind: EventKind) -> bool {
    push.deleted.is_none() && newer.is_same_as(push, kind)
}

/// Whether two pushes, of tags of this kind, are one that was received twice.
fn is_same_push(known: &Content, push: &Content, kind: EventKind, time_is_push: bool) -> bool {
    if known.pushed_at != push.pushed_at {
        return false;
    }
    if time_is_push && push.pushed_at.is_some() {
        return known.is_same_as(push, kind)
            || kind == EventKind::ArtifactPushed && known.may_be_same_as(push);
    }
    known.is_same_as(push, kind) && known.instant() == push.instant()
}

/// Of a push that was received twice the earlier request counts, and each fact that either has.
fn receive_again(known: &mut Content, push: &Content) {
    let (one, other) = (known.instant(), push.instant());
    if other < one {
        known.at = Some(one.at.min(other.at));
        known.since = one.received_at.min(other.received_at);
        (known.source, known.channel) = (push.source.clone(), push.channel.clone());
    }
    complete(known, push);
}

/// Adds the facts that only the other push of the same content has.
fn complete(content: &mut Content, other: &Content) {
    content.commit = content.commit.take().or_else(|| other.commit.clone());
}

/// Attaches each deletion to the newest push before it.
fn attach_deletions(newest_first: &mut [Content]) {
    let deletions: Vec<Instant> = newest_first.iter_mut().filter_map(|push| push.deleted.take()).collect();
    for deleted in deletions {
        if let Some(push) = newest_first.iter_mut().find(|push| push.instant() < deleted) {
            push.deleted = push.deleted.max(Some(deleted));
        }
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
