//! SQS fair queues: message groups are served round robin, so that the backlog of one does not delay the
//! others.

use std::collections::BTreeMap;
use std::ops::Bound;

use rusqlite::{Connection, OptionalExtension as _, params};

/// Up to so many visible messages of a queue are read at once. If there are more, the groups are read one by
/// one, which takes a query for each group of the queue, also for those without visible messages.
const FEW: usize = 128;

/// The ids of a group's messages, the earliest first.
type Group = std::vec::IntoIter<i64>;

/// The ids of up to `most` visible messages: one of each group, beginning after the group that was served
/// last, then another one of each, until there are enough. The column of a message's group is `turn`.
pub(super) fn round_robin(
    connection: &Connection,
    queue: &str,
    now: i64,
    most: usize,
    served: Option<&str>,
) -> rusqlite::Result<Vec<i64>> {
    let limit = i64::try_from(FEW.saturating_add(1)).unwrap_or(i64::MAX);
    let sql = "SELECT turn, id FROM messages WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3";
    let mut few = 0_usize;
    let mut groups: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![queue, now, limit])?;
    while let Some(row) = rows.next()? {
        groups.entry(row.get(0)?).or_default().push(row.get(1)?);
        few = few.saturating_add(1);
    }
    let groups =
        if few > FEW { walk(connection, queue, now, most, served)? } else { ordered(groups, served) };
    Ok(deal(groups, most))
}

/// The groups after the one that was served last, then the others.
fn ordered(mut groups: BTreeMap<String, Vec<i64>>, served: Option<&str>) -> Vec<Group> {
    let Some(served) = served else { return groups.into_values().map(Vec::into_iter).collect() };
    let mut after: Vec<Group> = groups
        .range_mut::<str, _>((Bound::Excluded(served), Bound::Unbounded))
        .map(|(_, ids)| std::mem::take(ids).into_iter())
        .collect();
    after.extend(groups.into_values().map(Vec::into_iter));
    after
}

/// The same for a queue with many visible messages: no more groups than the batch has messages.
fn walk(
    connection: &Connection,
    queue: &str,
    now: i64,
    most: usize,
    served: Option<&str>,
) -> rusqlite::Result<Vec<Group>> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut heads = connection.prepare_cached(
        "SELECT id FROM messages WHERE queue = ?1 AND turn = ?2 AND visible_at <= ?3 ORDER BY visible_at, id LIMIT ?4",
    )?;
    let mut groups = Vec::new();
    let mut position = served.map(str::to_owned);
    let mut round = served.is_none();
    while groups.len() < most {
        match next(connection, queue, position.as_deref())? {
            // In the second round no further than the group where the first began, so that no group comes
            // twice.
            Some(group) if round && served.is_some_and(|served| group.as_str() > served) => break,
            Some(group) => {
                let ids: Vec<i64> = heads
                    .query_map(params![queue, group, now, limit], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                if !ids.is_empty() {
                    groups.push(ids.into_iter());
                }
                position = Some(group);
            }
            None if round => break,
            None => {
                round = true;
                position = None;
            }
        }
    }
    Ok(groups)
}

/// The group after one, or the first.
fn next(connection: &Connection, queue: &str, after: Option<&str>) -> rusqlite::Result<Option<String>> {
    let found = match after {
        Some(after) => connection
            .prepare_cached("SELECT turn FROM messages WHERE queue = ?1 AND turn > ?2 ORDER BY turn LIMIT 1")?
            .query_row(params![queue, after], |row| row.get(0)),
        None => connection
            .prepare_cached("SELECT turn FROM messages WHERE queue = ?1 ORDER BY turn LIMIT 1")?
            .query_row([queue], |row| row.get(0)),
    };
    found.optional()
}

/// One id of each group, then another one of each, until there are enough.
fn deal(mut groups: Vec<Group>, most: usize) -> Vec<i64> {
    let mut dealt = Vec::new();
    while dealt.len() < most && !groups.is_empty() {
        groups.retain_mut(|ids| {
            let id = if dealt.len() < most { ids.next() } else { None };
            dealt.extend(id);
            id.is_some()
        });
    }
    dealt
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A queue with messages of these groups, visible or not. Ids start at 1.
    fn queue_of(messages: &[(String, bool)]) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE messages (id INTEGER PRIMARY KEY, queue TEXT, turn TEXT, visible_at INTEGER)",
            )
            .unwrap();
        for (turn, visible) in messages {
            let sql = "INSERT INTO messages (queue, turn, visible_at) VALUES ('q', ?1, ?2)";
            connection.execute(sql, params![turn, if *visible { 0 } else { 9 }]).unwrap();
        }
        connection
    }

    proptest! {
        #[test]
        fn both_ways_of_reading_give_the_same_messages(
            messages in prop::collection::vec(("[a-e]?", any::<bool>()), 0..40),
            served in prop::option::of("[a-f]?"),
            most in 1_usize..50,
        ) {
            let connection = queue_of(&messages);
            let walked = deal(walk(&connection, "q", 5, most, served.as_deref()).unwrap(), most);
            let dealt = round_robin(&connection, "q", 5, most, served.as_deref()).unwrap();
            prop_assert_eq!(&walked, &dealt);
            let visible = messages.iter().filter(|(_, visible)| *visible).count();
            prop_assert_eq!(dealt.len(), visible.min(most));
            let distinct: std::collections::BTreeSet<_> = dealt.iter().collect();
            prop_assert_eq!(distinct.len(), dealt.len());
        }
    }

    #[test]
    fn the_backlog_of_a_group_does_not_delay_another() {
        let mut messages = vec![("loud".to_owned(), true); 500];
        messages.push(("quiet".to_owned(), true));
        let connection = queue_of(&messages);
        assert_eq!(round_robin(&connection, "q", 5, 3, None).unwrap(), [1, 501, 2]);
        assert_eq!(round_robin(&connection, "q", 5, 3, Some("loud")).unwrap(), [501, 1, 2]);
    }
}
