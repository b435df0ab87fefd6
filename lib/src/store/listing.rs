//! Lists, newest first: pages over one partition, or over several whose rows interleave by sort key.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::item::key_of;
use super::item::readable;
use super::sort_keys::{Bound, SortKeys};
use super::{Item, Table};
use crate::domain::shared::time::Timestamp;
use crate::error::{Code, Error, Kind};

/// How many rows one request reads at most.
const MAX_EXAMINED: u64 = 10_000;
/// How many rows beyond its page a request usually counts for `total`.
pub const COUNTED_AHEAD: u64 = 1_000;
/// How many rows of one partition are read at once, at least and at most.
const READ_AT_ONCE: (u64, u64) = (10, 500);

/// The rows of a list.
pub struct Listing {
    /// The list's name, unique among all lists: a cursor is valid for its own list only.
    pub name: String,
    /// Groups of partitions, the newest group first. Rows within a group interleave.
    pub groups: Vec<Vec<String>>,
    /// What the sort keys of the rows begin with.
    pub prefix: String,
    /// The greatest sort key, after the prefix, of a row that was created at or before a time.
    pub bound: fn(DateTime<Utc>) -> String,
    /// How many rows beyond its page a request counts for `total`. Each of them is read.
    pub counted_ahead: u64,
}

impl Listing {
    /// The rows of one partition whose sort keys are a prefix and an id that begins with its time.
    #[must_use]
    pub fn of(partition: String, prefix: &str) -> Self {
        let name = format!("{partition} {prefix}");
        Self {
            name,
            groups: vec![vec![partition]],
            prefix: prefix.to_owned(),
            bound: id_bound,
            counted_ahead: COUNTED_AHEAD,
        }
    }
}

impl Listing {
    /// The list's mark in its cursors: a short hash, which reveals nothing.
    fn mark(&self) -> String {
        let hash = hex::encode(Sha256::digest(self.name.as_bytes()));
        hash.get(..16).unwrap_or_default().to_owned()
    }
}

fn not_ours() -> Error {
    Error::new(Kind::Invalid, Code::InvalidCursor, "The cursor is not one that this list gave")
}

/// The greatest id that can have been generated at or before `time`.
#[must_use]
pub fn id_bound(time: DateTime<Utc>) -> String {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    let hex = format!("{millis:012x}");
    let (high, low) = hex.split_at_checked(8).unwrap_or((&hex, ""));
    format!("{high}-{low}-ffff-ffff-ffffffffffff")
}

/// A bound below every id that can have been generated at or after `time`.
#[must_use]
pub fn id_floor(time: DateTime<Utc>) -> String {
    let bound = id_bound(time);
    bound.get(..13).unwrap_or_default().to_owned()
}

/// The page that is requested.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// The number of the page, from 1. Ignored with a cursor.
    pub page: u64,
    /// The rows per page, 1 to 100.
    pub page_size: u64,
    /// The cursor that an earlier page returned.
    pub cursor: Option<Cursor>,
    /// Rows that were created later are left out.
    pub as_of: Option<DateTime<Utc>>,
}

/// The position at which a page ended, opaque to callers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    list: String,
    /// The last row's sort key, if the list is read from a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Bound>,
    /// How many rows of the list came before.
    seen: u64,
    page: u64,
    as_of: DateTime<Utc>,
}

impl Cursor {
    /// Decodes a cursor.
    ///
    /// # Errors
    /// `Invalid` if it is not one of ours.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(not_ours)
    }

    /// The sort key to continue behind, if it is a cursor of this list.
    fn of(&self, listing: &Listing) -> Result<&Bound, Error> {
        let is_ours =
            |after: &&Bound| self.list == listing.mark() && after.as_str().starts_with(&listing.prefix);
        self.after.as_ref().filter(is_ours).ok_or_else(not_ours)
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The page's position in the list.
    pub pagination: Pagination,
    /// The cursor behind each row.
    cursors: Vec<Cursor>,
}

impl<T> Page<T> {
    /// The page with other rows, one for each of its own.
    #[must_use]
    pub fn with<U>(self, items: Vec<U>) -> Page<U> {
        Page { items, pagination: self.pagination, cursors: self.cursors }
    }

    /// The page with each of its rows as `view` shows it.
    #[must_use]
    pub fn map<U>(self, view: impl Fn(&T) -> U) -> Page<U> {
        let items = self.items.iter().map(view).collect();
        self.with(items)
    }

    /// The page's position if only its first `count` rows are returned. The next page begins right behind
    /// them.
    #[must_use]
    pub fn cut_behind(&self, count: usize) -> Pagination {
        let last = count.checked_sub(1).and_then(|last| self.cursors.get(last));
        if count >= self.items.len() {
            return self.pagination.clone();
        }
        Pagination {
            cut: true,
            has_more: true,
            next_cursor: last.map(Cursor::text),
            ..self.pagination.clone()
        }
    }
}

/// Where a page is in its list.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// The number of the page, from 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub page: u64,
    /// The most rows of a page.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub page_size: u64,
    /// Whether another page follows. A page of a filtered list may be short although another one follows.
    pub has_more: bool,
    /// Present if the page ends early because the answer would be too large. `nextCursor` leads to the rest;
    /// the page of the next number does not have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub cut: bool,
    /// The `cursor` of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many rows the list has, as far as counted.
    pub total: u64,
    /// Whether the list has more rows than were counted.
    pub total_is_lower_bound: bool,
    /// Rows that were created later are left out. Pass it back as `asOf`, so that pages do not shift.
    pub as_of: Timestamp,
}

impl Table {
    /// A page of the rows that `keep` accepts.
    ///
    /// # Errors
    /// `Invalid` for a page that is deeper than one request reads, or a cursor of another list; `Unavailable`
    /// if DynamoDB does not answer.
    pub async fn list<T: DeserializeOwned>(
        &self,
        listing: &Listing,
        request: &PageRequest,
        now: DateTime<Utc>,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Page<T>, Error> {
        let window = Window::of(request, now);
        if request.cursor.is_none() && window.end > MAX_EXAMINED {
            return Err(Error::new(
                Kind::Invalid,
                Code::PageTooDeep,
                "Pages this deep are reached with cursor",
            ));
        }
        let after = request.cursor.as_ref().map(|cursor| cursor.of(listing)).transpose()?;
        let top = Bound::new(format!("{}{}", listing.prefix, (listing.bound)(window.as_of)));
        let top = top.ok_or_else(|| Error::fault("a list has no upper bound"))?;
        let wanted = request.page_size.saturating_add(listing.counted_ahead);
        let from = Reading { sk: after.unwrap_or(&top), exclusive: after.is_some(), wanted };
        let mut rows = Rows::new(listing.mark(), window);
        let mut examined: u64 = 0;
        let mut complete = true;
        'groups: for group in &listing.groups {
            let mut merge = Merge::new(self, group, &listing.prefix, &from);
            while let Some((sk, item)) = merge.next().await? {
                examined = examined.saturating_add(1);
                if examined > MAX_EXAMINED
                    || rows.seen >= rows.window.end.saturating_add(listing.counted_ahead)
                {
                    complete = false;
                    break 'groups;
                }
                // A fan-out mark is not a row of the list.
                let row = if sk.ends_with("#FANOUT") { None } else { readable(item) };
                rows.examined(Bound::new(sk));
                if let Some(row) = row.filter(|row| keep(row)) {
                    rows.add(row);
                }
            }
        }
        Ok(rows.into_page(complete))
    }
}

/// The rows of a list that a page has, counted from the first row of the list.
struct Window {
    page: u64,
    page_size: u64,
    /// How many rows of the list precede those that are read.
    seen: u64,
    first: u64,
    end: u64,
    as_of: DateTime<Utc>,
}

impl Window {
    fn of(request: &PageRequest, now: DateTime<Utc>) -> Self {
        let page_size = request.page_size;
        let (page, seen, first) = match &request.cursor {
            Some(cursor) => (cursor.page, cursor.seen, cursor.seen),
            None => (request.page, 0, request.page.saturating_sub(1).saturating_mul(page_size)),
        };
        let as_of = request.cursor.as_ref().map(|cursor| cursor.as_of).or(request.as_of).unwrap_or(now);
        Self { page, page_size, seen, first, end: first.saturating_add(page_size), as_of }
    }
}

/// Collects the rows of a page.
struct Rows<T> {
    list: String,
    window: Window,
    /// How many rows of the list were found, those before the page included.
    seen: u64,
    /// The sort key of the row that was read last.
    last: Option<Bound>,
    items: Vec<T>,
    cursors: Vec<Cursor>,
}

impl<T> Rows<T> {
    fn new(list: String, window: Window) -> Self {
        Self { list, seen: window.seen, window, last: None, items: Vec::new(), cursors: Vec::new() }
    }

    /// Sets which row was read last, whether or not it belongs to the list.
    fn examined(&mut self, sk: Option<Bound>) {
        self.last = sk;
    }

    /// Counts a row, and keeps it if it belongs to the page.
    fn add(&mut self, row: T) {
        let place = self.seen;
        self.seen = self.seen.saturating_add(1);
        if (self.window.first..self.window.end).contains(&place) {
            self.items.push(row);
            self.cursors.push(self.cursor());
        }
    }

    /// The cursor behind the row that was read last.
    fn cursor(&self) -> Cursor {
        Cursor {
            list: self.list.clone(),
            after: self.last.clone(),
            seen: self.seen,
            page: self.window.page.saturating_add(1),
            as_of: self.window.as_of,
        }
    }

    fn into_page(self, complete: bool) -> Page<T> {
        let has_more = self.seen > self.window.end || !complete;
        // A page that ended early, at the limit of rows read, continues behind the last row that was read.
        let is_full = self.seen >= self.window.end;
        let next = if is_full { self.cursors.last().cloned() } else { Some(self.cursor()) };
        let next_cursor = next.filter(|_| has_more).map(|cursor| cursor.text());
        Page {
            items: self.items,
            pagination: Pagination {
                page: self.window.page,
                page_size: self.window.page_size,
                has_more,
                cut: false,
                next_cursor,
                total: self.seen,
                total_is_lower_bound: !complete,
                as_of: Timestamp(self.window.as_of),
            },
            cursors: self.cursors,
        }
    }
}

/// A page of rows that are in memory already, newest first.
///
/// # Errors
/// `Invalid` if the cursor is another list's.
pub fn page_of<T>(
    name: &str,
    rows: Vec<T>,
    request: &PageRequest,
    now: DateTime<Utc>,
    made_at: fn(&T) -> DateTime<Utc>,
) -> Result<Page<T>, Error> {
    let list = Listing::of(name.to_owned(), "").mark();
    if request.cursor.as_ref().is_some_and(|cursor| cursor.list != list) {
        return Err(not_ours());
    }
    let window = Window::of(request, now);
    let as_of = window.as_of;
    let mut page = Rows::new(list, Window { seen: 0, ..window });
    for row in rows.into_iter().filter(|row| made_at(row) <= as_of) {
        page.add(row);
    }
    Ok(page.into_page(true))
}

/// How many rows of each partition are read first: twice its share of what is wanted, because shares differ.
fn first_read(wanted: u64, partitions: usize) -> u64 {
    let shares = u64::try_from(partitions).unwrap_or(1).max(1);
    wanted.saturating_mul(2).div_ceil(shares).clamp(READ_AT_ONCE.0, READ_AT_ONCE.1)
}

/// The rows of several partitions, merged in descending order.
struct Merge<'a> {
    table: &'a Table,
    prefix: &'a str,
    sources: Vec<Source>,
}

/// Where reading begins, and how many rows are wanted of all partitions together.
struct Reading<'a> {
    sk: &'a Bound,
    exclusive: bool,
    wanted: u64,
}

struct Source {
    partition: String,
    from: Bound,
    exclusive: bool,
    /// How many rows are read next. The number doubles, because a caller that continues looks for few rows
    /// among many.
    limit: u64,
    rows: VecDeque<(String, Item)>,
    start: Option<Item>,
    ended: bool,
}

impl<'a> Merge<'a> {
    fn new(table: &'a Table, partitions: &[String], prefix: &'a str, from: &Reading<'_>) -> Self {
        let limit = first_read(from.wanted, partitions.len());
        let source = |partition: &String| Source {
            partition: partition.clone(),
            from: from.sk.clone(),
            exclusive: from.exclusive,
            limit,
            rows: VecDeque::new(),
            start: None,
            ended: false,
        };
        Self { table, prefix, sources: partitions.iter().map(source).collect() }
    }

    async fn next(&mut self) -> Result<Option<(String, Item)>, Error> {
        let (table, prefix) = (self.table, self.prefix);
        let empty = self.sources.iter_mut().filter(|source| source.rows.is_empty() && !source.ended);
        try_join_all(empty.map(|source| source.fill(table, prefix))).await?;
        let newest = self
            .sources
            .iter_mut()
            .max_by(|a, b| a.rows.front().map(|(sk, _)| sk).cmp(&b.rows.front().map(|(sk, _)| sk)));
        Ok(newest.and_then(|source| source.rows.pop_front()))
    }
}

impl Source {
    async fn fill(&mut self, table: &Table, prefix: &str) -> Result<(), Error> {
        while self.rows.is_empty() && !self.ended {
            self.read(table, prefix).await?;
        }
        Ok(())
    }

    async fn read(&mut self, table: &Table, prefix: &str) -> Result<(), Error> {
        let output = table
            .rows_of(&self.partition, SortKeys::between(prefix, self.from.clone()))
            .scan_index_forward(false)
            .limit(i32::try_from(self.limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(self.start.take())
            .send()
            .await
            .map_err(|error| table.failed("Query", &error))?;
        self.limit = self.limit.saturating_mul(2).min(READ_AT_ONCE.1);
        for item in output.items.unwrap_or_default() {
            let Some(key) = key_of(&item) else { continue };
            if !(self.exclusive && key.sk == self.from.as_str()) {
                self.rows.push_back((key.sk, item));
            }
        }
        self.start = output.last_evaluated_key;
        self.ended = self.start.is_none();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_of_each_partition_are_read_first_if_there_are_many() {
        assert_eq!((first_read(51, 400), first_read(51, 4), first_read(1_020, 1)), (10, 26, 500));
    }
}
