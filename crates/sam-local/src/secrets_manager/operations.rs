//! The operations of Secrets Manager (AWS JSON 1.1).

use serde_json::{Value, json};

use super::secret::{CURRENT, Secret};
use super::store::Store;
use super::wire::{Refusal, content, described, insert, named, seconds, shown, token};
use crate::json::{text, texts};

type Answer = Result<Value, Refusal>;

const DAY_MILLIS: i64 = 86_400_000;
/// How many days a deleted secret can be restored by default.
const WINDOW_DAYS: i64 = 30;

pub(super) fn operate(operation: &str, store: &mut Store, request: &Value, now: i64) -> Answer {
    match operation {
        "CreateSecret" => create(store, request, now),
        "GetSecretValue" => value(store, text(request, "SecretId"), request, now),
        "BatchGetSecretValue" => values(store, request, now),
        "PutSecretValue" => put(store, request, now),
        "UpdateSecret" => update(store, request, now),
        "UpdateSecretVersionStage" => move_stage(store, request, now),
        "DescribeSecret" => Ok(described(&existing(store, text(request, "SecretId"), now)?, true)),
        "ListSecrets" => list(store, request, now),
        "ListSecretVersionIds" => versions(store, request, now),
        "DeleteSecret" => delete(store, request, now),
        "RestoreSecret" => restore(store, request, now),
        "TagResource" => tag(store, request, now),
        "UntagResource" => untag(store, request, now),
        "RotateSecret" => {
            active(store, text(request, "SecretId"), now)?;
            Err(Refusal::request("No Lambda rotation function ARN is associated with this secret."))
        }
        other => Err(Refusal::unknown(other)),
    }
}

fn create(store: &mut Store, request: &Value, now: i64) -> Answer {
    let name = text(request, "Name");
    let letter = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if !(1..=512).contains(&name.len()) || !name.chars().all(letter) {
        return Err(Refusal::parameter("A name has 1 to 512 letters, digits and characters of /_+=.@-"));
    }
    let content = content(request)?;
    let id = token(request)?;
    if let Some(existing) = store.find(name, now)? {
        if existing.deletion.is_some() {
            return Err(Refusal::request("A secret of this name is scheduled for deletion."));
        }
        // A repetition of the request that created it gets the same answer.
        let made = existing.version(&id).is_some_and(|version| Some(&version.content) == content.as_ref());
        if made {
            return Ok(named(&existing, Some(&id)));
        }
        return Err(Refusal::exists("The operation failed because the secret already exists."));
    }
    let mut secret = Secret::new(name, now);
    text(request, "Description").clone_into(&mut secret.description);
    if let Some(tags) = request.get("Tags").filter(|tags| tags.is_array()) {
        secret.tags = tags.clone();
    }
    let version = content.is_some().then_some(id.as_str());
    if let Some(content) = content {
        secret.put(&id, content, &[CURRENT], now)?;
    }
    store.save(&secret)?;
    Ok(named(&secret, version))
}

fn value(store: &mut Store, id: &str, request: &Value, now: i64) -> Answer {
    let secret = active(store, id, now)?;
    let (stage, version) = (text(request, "VersionStage"), text(request, "VersionId"));
    let found = match (version, stage) {
        ("", "") => secret.version_with(CURRENT),
        ("", stage) => secret.version_with(stage),
        (version, "") => secret.version(version),
        (version, stage) => secret.version(version).filter(|version| version.stages.contains(stage)),
    };
    let Some(found) = found else {
        return Err(Refusal::not_found("Secrets Manager can't find the specified secret value."));
    };
    // Only the date of the last access is returned, so one write a day is enough.
    let today = now.div_euclid(DAY_MILLIS).saturating_mul(DAY_MILLIS);
    if secret.accessed != Some(today) {
        store.accessed(&secret.name, today)?;
    }
    Ok(shown(&secret, found))
}

fn values(store: &mut Store, request: &Value, now: i64) -> Answer {
    let ids: Vec<String> = match request.get("SecretIdList").and_then(Value::as_array) {
        Some(ids) => ids.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        None => filtered(store, request, now)?.into_iter().map(|secret| secret.name).collect(),
    };
    if ids.len() > 20 {
        return Err(Refusal::parameter("At most 20 secrets can be read at once."));
    }
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match value(store, &id, &Value::Null, now) {
            Ok(value) => found.push(value),
            Err(refusal) => errors.push(refusal.entry(&id)),
        }
    }
    Ok(json!({"SecretValues": found, "Errors": errors}))
}

fn put(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut secret = active(store, text(request, "SecretId"), now)?;
    let content = content(request)?
        .ok_or_else(|| Refusal::parameter("You must provide either SecretString or SecretBinary."))?;
    let id = token(request)?;
    let mut stages: Vec<&str> = texts(request, "VersionStages");
    if stages.is_empty() {
        stages.push(CURRENT);
    }
    secret.put(&id, content, &stages, now)?;
    store.save(&secret)?;
    let mut answer = named(&secret, Some(&id));
    let stages = secret.version(&id).map(|version| json!(version.stages));
    insert(&mut answer, "VersionStages", stages);
    Ok(answer)
}

fn update(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut secret = active(store, text(request, "SecretId"), now)?;
    if let Some(description) = request.get("Description").and_then(Value::as_str) {
        description.clone_into(&mut secret.description);
        secret.changed = now;
    }
    let id = token(request)?;
    let mut version = None;
    if let Some(content) = content(request)? {
        secret.put(&id, content, &[CURRENT], now)?;
        version = Some(id.as_str());
    }
    store.save(&secret)?;
    Ok(named(&secret, version))
}

fn move_stage(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut secret = active(store, text(request, "SecretId"), now)?;
    let stage = text(request, "VersionStage");
    if stage.is_empty() {
        return Err(Refusal::parameter("VersionStage is missing."));
    }
    let version = |name| Some(text(request, name)).filter(|version| !version.is_empty());
    secret.move_stage(stage, version("RemoveFromVersionId"), version("MoveToVersionId"), now)?;
    store.save(&secret)?;
    Ok(named(&secret, None))
}

fn list(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut found = filtered(store, request, now)?;
    let after = text(request, "NextToken");
    found.retain(|secret| secret.name.as_str() > after);
    let most = request.get("MaxResults").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(100).clamp(1, 100);
    let more = found.len() > most;
    found.truncate(most);
    let shown: Vec<Value> = found.iter().map(|secret| described(secret, false)).collect();
    let mut answer = json!({ "SecretList": shown });
    insert(&mut answer, "NextToken", found.last().filter(|_| more).map(|last| json!(last.name)));
    Ok(answer)
}

/// The secrets that match a request's filters, ordered by name. Filters match prefixes.
fn filtered(store: &mut Store, request: &Value, now: i64) -> Result<Vec<Secret>, Refusal> {
    let filters = request.get("Filters").and_then(Value::as_array).cloned().unwrap_or_default();
    let deleted_too = request.get("IncludePlannedDeletion").and_then(Value::as_bool).unwrap_or(false);
    let mut found = Vec::new();
    for name in store.names()? {
        let Some(secret) = store.find(&name, now)? else { continue };
        if secret.deletion.is_some() && !deleted_too {
            continue;
        }
        let mut passes = true;
        for filter in &filters {
            passes = passes && matches(&secret, filter)?;
        }
        if passes {
            found.push(secret);
        }
    }
    Ok(found)
}

fn matches(secret: &Secret, filter: &Value) -> Result<bool, Refusal> {
    let tags = |member: &str| -> Vec<String> {
        let tags = secret.tags.as_array().into_iter().flatten();
        tags.map(|tag| text(tag, member).to_owned()).collect()
    };
    let own = match text(filter, "Key") {
        "name" => vec![secret.name.clone()],
        "description" => vec![secret.description.clone()],
        "tag-key" => tags("Key"),
        "tag-value" => tags("Value"),
        "all" => [vec![secret.name.clone(), secret.description.clone()], tags("Key"), tags("Value")].concat(),
        _ => return Err(Refusal::parameter("The local endpoint does not know this filter.")),
    };
    let passes = |wanted: &str| match wanted.strip_prefix('!') {
        Some(unwanted) => !own.iter().any(|own| own.starts_with(unwanted)),
        None => own.iter().any(|own| own.starts_with(wanted)),
    };
    Ok(texts(filter, "Values").into_iter().any(passes))
}

fn versions(store: &mut Store, request: &Value, now: i64) -> Answer {
    let secret = existing(store, text(request, "SecretId"), now)?;
    let deprecated_too = request.get("IncludeDeprecated").and_then(Value::as_bool).unwrap_or(false);
    let shown: Vec<Value> = secret
        .versions
        .iter()
        .filter(|version| deprecated_too || !version.stages.is_empty())
        .map(|version| {
            json!({"VersionId": version.id, "VersionStages": version.stages, "CreatedDate": seconds(version.created)})
        })
        .collect();
    let mut answer = named(&secret, None);
    insert(&mut answer, "Versions", Some(json!(shown)));
    Ok(answer)
}

fn delete(store: &mut Store, request: &Value, now: i64) -> Answer {
    let forced = request.get("ForceDeleteWithoutRecovery").and_then(Value::as_bool).unwrap_or(false);
    let days = request.get("RecoveryWindowInDays").and_then(Value::as_i64);
    if days.is_some_and(|days| forced || !(7..=30).contains(&days)) {
        return Err(Refusal::parameter("RecoveryWindowInDays is 7 to 30, and not with a forced deletion."));
    }
    let mut secret = existing(store, text(request, "SecretId"), now)?;
    let gone = if forced {
        store.remove(&secret.name)?;
        now
    } else if secret.deletion.is_some() {
        return Err(Refusal::request("The secret is already scheduled for deletion."));
    } else {
        let gone = now.saturating_add(days.unwrap_or(WINDOW_DAYS).saturating_mul(DAY_MILLIS));
        secret.deletion = Some((now, gone));
        store.save(&secret)?;
        gone
    };
    let mut answer = named(&secret, None);
    insert(&mut answer, "DeletionDate", Some(seconds(gone)));
    Ok(answer)
}

fn restore(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut secret = existing(store, text(request, "SecretId"), now)?;
    secret.deletion = None;
    store.save(&secret)?;
    Ok(named(&secret, None))
}

fn tag(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut secret = active(store, text(request, "SecretId"), now)?;
    let given = request.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(tags) = secret.tags.as_array_mut() {
        tags.retain(|tag| !given.iter().any(|given| given.get("Key") == tag.get("Key")));
        tags.extend(given);
    }
    store.save(&secret)?;
    Ok(json!({}))
}

fn untag(store: &mut Store, request: &Value, now: i64) -> Answer {
    let mut secret = active(store, text(request, "SecretId"), now)?;
    let keys = texts(request, "TagKeys");
    if let Some(tags) = secret.tags.as_array_mut() {
        tags.retain(|tag| !keys.contains(&text(tag, "Key")));
    }
    store.save(&secret)?;
    Ok(json!({}))
}

fn existing(store: &mut Store, id: &str, now: i64) -> Result<Secret, Refusal> {
    let found = store.find(id, now)?;
    found.ok_or_else(|| Refusal::not_found("Secrets Manager can't find the specified secret."))
}

/// A secret that is not scheduled for deletion.
fn active(store: &mut Store, id: &str, now: i64) -> Result<Secret, Refusal> {
    let secret = existing(store, id, now)?;
    if secret.deletion.is_some() {
        return Err(Refusal::request("The secret is marked for deletion."));
    }
    Ok(secret)
}
