//! The operations of DynamoDB: each calls the engine with a JSON request and returns a JSON answer.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The answer of an operation, or DynamoDB's error.
pub(super) type Outcome = Result<String, DynoxideError>;

/// Does an operation; `None` for an unknown one.
pub(super) fn operate(database: &Database, operation: &str, body: &[u8]) -> Option<Outcome> {
    macro_rules! operations {
        ($($name:literal => $call:ident,)*) => {
            match operation {
                $($name => Some(read(body).and_then(|request| answer(&database.$call(request)?))),)*
                _ => None,
            }
        };
    }
    operations! {
        "GetItem" => get_item,
        "BatchGetItem" => batch_get_item,
        "TransactGetItems" => transact_get_items,
        "Query" => query,
        "Scan" => scan,
        "PutItem" => put_item,
        "UpdateItem" => update_item,
        "DeleteItem" => delete_item,
        "BatchWriteItem" => batch_write_item,
        "TransactWriteItems" => transact_write_items,
        "ExecuteStatement" => execute_statement,
        "ExecuteTransaction" => execute_transaction,
        "BatchExecuteStatement" => batch_execute_statement,
        "CreateTable" => create_table,
        "DescribeTable" => describe_table,
        "UpdateTable" => update_table,
        "DeleteTable" => delete_table,
        "ListTables" => list_tables,
        "DescribeTimeToLive" => describe_time_to_live,
        "UpdateTimeToLive" => update_time_to_live,
        "ListStreams" => list_streams,
        "DescribeStream" => describe_stream,
        "GetShardIterator" => get_shard_iterator,
        "GetRecords" => get_records,
        "TagResource" => tag_resource,
        "UntagResource" => untag_resource,
        "ListTagsOfResource" => list_tags_of_resource,
    }
}

fn answer(answer: &impl Serialize) -> Outcome {
    serde_json::to_string(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// Parses a request. The engine's types mark the kind of a parse error at the beginning of its text.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let text = text.rfind(" at line ").and_then(|end| text.get(..end)).unwrap_or(&text);
        let unmarked = |marks: [&str; 2]| marks.iter().find_map(|mark| text.strip_prefix(mark));
        if let Some(reason) = unmarked(["SERIALIZATION:", "SERIALIZATION_AS_READ:"]) {
            return DynoxideError::SerializationException(reason.to_owned());
        }
        if let Some(reason) = unmarked(["VALIDATION:", "VALIDATION_REQUEST:"]) {
            return DynoxideError::ValidationException(reason.to_owned());
        }
        // DynamoDB reports a missing member as invalid, and one of a wrong type as a failed deserialization.
        let is_invalid = ["missing field", "unknown variant", "invalid type: null", "AttributeValue"];
        if is_invalid.iter().any(|words| text.contains(words)) {
            DynoxideError::ValidationException(text.to_owned())
        } else {
            DynoxideError::SerializationException(text.to_owned())
        }
    })
}
