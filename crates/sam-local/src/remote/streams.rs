//! Streams at an address, for the stream mapping.

use serde_json::{Value, json};

use super::{DYNAMODB, Remote, STREAMS, text};
use crate::error::Error;

/// A table's stream.
#[derive(Clone)]
pub(super) struct Stream {
    arn: String,
    shard: String,
}

impl Remote {
    /// The ARN of a table's stream.
    pub(crate) async fn stream_arn(&self, table: &str) -> Result<String, Error> {
        Ok(self.stream(table).await?.arn)
    }

    /// Reads up to `limit` records of a table's stream, oldest first, from its beginning or after a sequence
    /// number. Each time by a new iterator, because an older one may still show writes that were undone
    /// since.
    pub(crate) async fn stream_records(
        &self,
        table: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Value>, Error> {
        let stream = self.stream(table).await?;
        let from = if after.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let mut request =
            json!({"StreamArn": stream.arn, "ShardId": stream.shard, "ShardIteratorType": from});
        if let (Some(members), Some(after)) = (request.as_object_mut(), after) {
            members.insert("SequenceNumber".to_owned(), json!(after));
        }
        let answer = self.call(STREAMS, "GetShardIterator", &request).await?;
        let request = json!({"ShardIterator": text(&answer, "/ShardIterator")?, "Limit": limit});
        let answer = self.call(STREAMS, "GetRecords", &request).await?;
        Ok(answer.get("Records").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    async fn stream(&self, table: &str) -> Result<Stream, Error> {
        let known = self.streams().get(table).cloned();
        if let Some(stream) = known {
            return Ok(stream);
        }
        let described = self.call(DYNAMODB, "DescribeTable", &json!({"TableName": table})).await?;
        let arn = text(&described, "/Table/LatestStreamArn")?.to_owned();
        let described = self.call(STREAMS, "DescribeStream", &json!({"StreamArn": arn})).await?;
        // Positions are single sequence numbers, so several shards are not supported.
        if described.pointer("/StreamDescription/Shards/1").is_some() {
            return Err(Error::fault("A stream elsewhere has several shards").about(table));
        }
        let shard = text(&described, "/StreamDescription/Shards/0/ShardId")?.to_owned();
        let stream = Stream { arn, shard };
        self.streams().insert(table.to_owned(), stream.clone());
        Ok(stream)
    }
}
