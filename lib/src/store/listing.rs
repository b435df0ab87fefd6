//! Lists, newest first: pages over one partition, or over several whose rows interleave by sort key.

use std::collections::VecDeque;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::query::key_of;
use super::table::{failed, read};
use super::{Item, Table};
use crate::error::{Error, Kind};

/// How many rows one request examines at most.
const MOST_EXAMINED: u64 = 10_000;
/// How many rows past its page a request usually counts for `total`.
pub const COUNTED_AHEAD: u64 = 1_000;
/// How many rows of one partition are read at once, at least and at most.
const READ_AT_ONCE: (u64, u64) = (10, 500);

/// Which rows a list is made of.
pub struct Listing {
    /// What the list is called among all lists: a cursor of one list is none of another.
    pub name: String,
    /// Groups of partitions, newest group first; the rows within a group interleave.
    pub groups: Vec<Vec<String>>,
    /// What their sort keys begin with.
    pub prefix: String,
    /// The greatest sort key (after the prefix) of a row made at or before a moment.
    pub bound: fn(DateTime<Utc>) -> String,
    /// How many rows past its page a request counts for `total`; each of them is read.
    pub counted_ahead: u64,
}

impl Listing {
    /// The rows of one partition whose sort keys are a prefix and a minted id.
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
    /// What a cursor of the list carries: short, and telling nothing.
    fn mark(&self) -> String {
        let hash = hex::encode(Sha256::digest(self.name.as_bytes()));
        hash.get(..16).unwrap_or_default().to_owned()
    }
}

fn not_ours() -> Error {
    Error::new(Kind::Invalid, "invalid_cursor", "The cursor is not one that this list gave")
}

/// The greatest id that could have been minted at or before `moment`.
#[must_use]
pub fn id_bound(moment: DateTime<Utc>) -> String {
    let millis = u64::try_from(moment.timestamp_millis()).unwrap_or(0);
    let hex = format!("{millis:012x}");
    let (high, low) = hex.split_at_checked(8).unwrap_or((&hex, ""));
    format!("{high}-{low}-ffff-ffff-ffffffffffff")
}

/// What comes before every id that could have been minted at or after `moment`.
#[must_use]
pub fn id_floor(moment: DateTime<Utc>) -> String {
    let bound = id_bound(moment);
    bound.get(..13).unwrap_or_default().to_owned()
}

/// Which page is asked for.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// From 1.
    pub page: u64,
    /// From 1 to 100.
    pub page_size: u64,
    /// Where an earlier page ended.
    pub cursor: Option<Cursor>,
    /// Rows made later are left out.
    pub as_of: Option<DateTime<Utc>>,
}

/// Where a page ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    list: String,
    after: String,
    seen: u64,
    page: u64,
    as_of: DateTime<Utc>,
}

impl Cursor {
    /// The cursor as a caller hands it back.
    ///
    /// # Errors
    /// Invalid when it is not one of ours.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(not_ours)
    }

    /// Whether it is a cursor of that list, and leads nowhere else.
    fn is_of(&self, listing: &Listing) -> bool {
        self.list == listing.mark() && self.after.starts_with(&listing.prefix)
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
    /// Where the page stands.
    pub pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// From 1.
    pub page: u64,
    /// Rows a page has at most.
    pub page_size: u64,
    /// Whether another page follows.
    pub has_more: bool,
    /// What to pass for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many rows there are, as far as counted.
    pub total: u64,
    /// Whether counting ended before the rows did.
    pub total_is_lower_bound: bool,
    /// Rows made later than this were left out.
    #[serde(serialize_with = "with_milliseconds")]
    pub as_of: DateTime<Utc>,
}

fn with_milliseconds<S: serde::Serializer>(time: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&crate::domain::timestamp(*time))
}

impl Table {
    /// A page of a list, of the rows that `keep` keeps.
    ///
    /// # Errors
    /// Invalid when the page is deeper than one request examines; unavailable when DynamoDB is.
    pub async fn list<T: DeserializeOwned>(
        &self,
        listing: &Listing,
        request: &PageRequest,
        now: DateTime<Utc>,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Page<T>, Error> {
        let cursor = request.cursor.as_ref();
        if cursor.is_some_and(|cursor| !cursor.is_of(listing)) {
            return Err(not_ours());
        }
        let as_of = cursor.map(|cursor| cursor.as_of).or(request.as_of).unwrap_or(now);
        let (mut seen, page) = cursor.map_or((0, request.page), |cursor| (cursor.seen, cursor.page));
        let first = page.saturating_sub(1).saturating_mul(request.page_size);
        let end = first.saturating_add(request.page_size);
        if cursor.is_none() && end > MOST_EXAMINED {
            return Err(Error::new(
                Kind::Invalid,
                "page_too_deep",
                "Pages this deep are reached with cursor",
            ));
        }
        let mut items = Vec::new();
        let mut next_cursor = None;
        let mut examined: u64 = 0;
        let mut complete = true;
        let after = cursor.map(|cursor| cursor.after.clone());
        let top = format!("{}{}", listing.prefix, (listing.bound)(as_of));
        'groups: for group in &listing.groups {
            let wanted = request.page_size.saturating_add(listing.counted_ahead);
            let from = Reading { sk: after.as_ref().unwrap_or(&top), exclusive: after.is_some(), wanted };
            let mut merge = Merge::new(self, group, &listing.prefix, &from);
            while let Some((sk, item)) = merge.next().await? {
                examined = examined.saturating_add(1);
                if examined > MOST_EXAMINED || seen >= end.saturating_add(listing.counted_ahead) {
                    complete = false;
                    break 'groups;
                }
                // A mark beside a row is not a row of the list.
                if sk.ends_with("#FANOUT") {
                    continue;
                }
                let row: T = read(item)?;
                if !keep(&row) {
                    continue;
                }
                if seen >= first && seen < end {
                    items.push(row);
                    let list = listing.mark();
                    next_cursor =
                        Some(Cursor { list, after: sk, seen: end, page: page.saturating_add(1), as_of });
                }
                seen = seen.saturating_add(1);
            }
        }
        let has_more = seen > end || !complete;
        Ok(Page {
            items,
            pagination: Pagination {
                page,
                page_size: request.page_size,
                has_more,
                next_cursor: next_cursor.filter(|_| has_more).map(|cursor| cursor.text()),
                total: seen,
                total_is_lower_bound: !complete,
                as_of,
            },
        })
    }
}

/// A page of rows that are at hand already, newest first.
///
/// # Errors
/// Invalid when the cursor is another list's.
pub fn page_of<T>(
    name: &str,
    rows: Vec<T>,
    request: &PageRequest,
    now: DateTime<Utc>,
    made_at: fn(&T) -> DateTime<Utc>,
) -> Result<Page<T>, Error> {
    let listing = Listing::of(name.to_owned(), "");
    let cursor = request.cursor.as_ref();
    if cursor.is_some_and(|cursor| !cursor.is_of(&listing)) {
        return Err(not_ours());
    }
    let as_of = cursor.map(|cursor| cursor.as_of).or(request.as_of).unwrap_or(now);
    let page = cursor.map_or(request.page, |cursor| cursor.page);
    let first = page.saturating_sub(1).saturating_mul(request.page_size);
    let end = first.saturating_add(request.page_size);
    let mut total: u64 = 0;
    let mut items = Vec::new();
    for row in rows.into_iter().filter(|row| made_at(row) <= as_of) {
        if (first..end).contains(&total) {
            items.push(row);
        }
        total = total.saturating_add(1);
    }
    let has_more = total > end;
    let list = listing.mark();
    let next = Cursor { list, after: String::new(), seen: end, page: page.saturating_add(1), as_of };
    Ok(Page {
        items,
        pagination: Pagination {
            page,
            page_size: request.page_size,
            has_more,
            next_cursor: has_more.then(|| next.text()),
            total,
            total_is_lower_bound: false,
            as_of,
        },
    })
}

/// How many rows of each partition are read at first: twice its share of what is wanted, as no two are alike.
fn first_read(wanted: u64, partitions: usize) -> u64 {
    let shares = u64::try_from(partitions).unwrap_or(1).max(1);
    wanted.saturating_mul(2).div_ceil(shares).clamp(READ_AT_ONCE.0, READ_AT_ONCE.1)
}

/// The rows of several partitions as one descending sequence.
struct Merge<'a> {
    table: &'a Table,
    prefix: &'a str,
    sources: Vec<Source>,
}

/// Where rows are read from, and how many of all partitions together.
struct Reading<'a> {
    sk: &'a str,
    exclusive: bool,
    wanted: u64,
}

struct Source {
    partition: String,
    from: String,
    exclusive: bool,
    /// How many rows are read next: more each time, because whoever goes on is looking for few among many.
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
            from: from.sk.to_owned(),
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
            .client()
            .query()
            .table_name(table.name())
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", AttributeValue::S(self.partition.clone()))
            .expression_attribute_values(":from", AttributeValue::S(prefix.to_owned()))
            .expression_attribute_values(":to", AttributeValue::S(self.from.clone()))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(self.limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(self.start.take())
            .send()
            .await
            .map_err(|error| failed("Query", error))?;
        self.limit = self.limit.saturating_mul(2).min(READ_AT_ONCE.1);
        for item in output.items.unwrap_or_default() {
            let Some(key) = key_of(&item) else { continue };
            if !(self.exclusive && key.sk == self.from) {
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
    fn of_many_partitions_few_rows_each_are_read_at_first() {
        assert_eq!((first_read(51, 400), first_read(51, 4), first_read(1_020, 1)), (10, 26, 500));
    }
}
