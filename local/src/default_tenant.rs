//! The tenant `default` and its admin key, which are created through the API on the first start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sam_local::Data;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stella::error::Error;

use crate::client::Client;

/// The file of the data directory that has the default tenant's key.
pub const FILE: &str = "default-tenant.json";
/// How long the link to the portal is valid, in seconds.
const LINK_SECONDS: u32 = 86_400;

/// The file's content. The tenant is saved before its key is created, so that a start after an interrupted
/// one creates no second tenant.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    tenant_id: String,
    key: Option<String>,
}

/// The admin key of the tenant `default`: the one that was saved with the data, or a new one.
///
/// # Errors
/// If the API at `url` rejects a request, or the key cannot be saved.
pub async fn key(url: &str, operator_key: &str, data: &Data) -> Result<String, Error> {
    let tenant_id = match read(data)? {
        Some(Kept { key: Some(key), .. }) => return Ok(key),
        Some(Kept { tenant_id, key: None }) => tenant_id,
        None => {
            let answer = post(url, "/api/v1/tenants", operator_key, &json!({"name": "default"})).await?;
            let tenant_id = member(&answer, "id")?;
            keep(data, &Kept { tenant_id: tenant_id.clone(), key: None })?;
            tenant_id
        }
    };
    let path = format!("/api/v1/tenants/{tenant_id}/api-keys");
    let answer = post(url, &path, operator_key, &json!({"name": "local", "role": "admin"})).await?;
    let key = member(&answer, "key")?;
    keep(data, &Kept { tenant_id, key: Some(key.clone()) })?;
    Ok(key)
}

/// Creates a sign-in link to the portal, with the key's role.
///
/// # Errors
/// If the API at `url` rejects the request.
pub async fn portal_link(url: &str, key: &str) -> Result<String, Error> {
    let answer = post(url, "/api/v1/portal-links", key, &json!({"ttlSeconds": LINK_SECONDS})).await?;
    member(&answer, "url")
}

/// The admin key that an earlier start has saved with the data.
///
/// # Errors
/// If the file cannot be read.
pub fn kept(data: &Data) -> Result<Option<String>, Error> {
    Ok(read(data)?.and_then(|kept| kept.key))
}

fn read(data: &Data) -> Result<Option<Kept>, Error> {
    let Some(file) = data.file(FILE) else { return Ok(None) };
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_failed(&file, error)),
    };
    serde_json::from_str::<Kept>(&text)
        .map(Some)
        .map_err(|error| Error::fault("The default tenant's file is damaged").caused_by(error))
}

fn keep(data: &Data, kept: &Kept) -> Result<(), Error> {
    let text = serde_json::to_string(kept)
        .map_err(|error| Error::fault("The default tenant cannot be written").caused_by(error))?;
    data.file(FILE).map_or(Ok(()), |file| write(&file, &text).map_err(|error| file_failed(&file, error)))
}

/// Replaces a file atomically with one that only its owner can read.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let fresh = file.with_extension("new");
    // A leftover could have another mode.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&fresh)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    fs::rename(&fresh, file)
}

fn file_failed(file: &Path, error: io::Error) -> Error {
    Error::fault("The default tenant's key cannot be kept").about(file.display().to_string()).caused_by(error)
}

fn member(answer: &Value, name: &str) -> Result<String, Error> {
    let member = answer.get("data").and_then(|data| data.get(name)).and_then(Value::as_str);
    member.map(str::to_owned).ok_or_else(|| Error::fault("The API's answer lacks a member").about(name))
}

async fn post(url: &str, path: &str, key: &str, body: &Value) -> Result<Value, Error> {
    let answer = Client::new(url, Some(key)).post(path, body).await?;
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let code = answer.body.get("code").and_then(Value::as_str).unwrap_or_default();
    let cause = format!("the API answered {} {code}", answer.status.as_u16());
    Err(Error::fault("Cannot create the default tenant").about(path).caused_by(cause))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::post;
    use axum::{Json, Router};
    use http::StatusCode;

    use super::*;

    /// An API that counts the tenants and keys that it creates. The first request for a key fails.
    async fn api() -> (String, Arc<[AtomicUsize; 2]>) {
        let made = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let (tenants, keys) = (Arc::clone(&made), Arc::clone(&made));
        let router = Router::new()
            .route(
                "/api/v1/tenants",
                post(async move |headers: http::HeaderMap| {
                    assert_eq!(headers["authorization"], "Bearer stk_operator_x");
                    let n = tenants[0].fetch_add(1, Ordering::Relaxed);
                    (StatusCode::CREATED, Json(json!({"success": true, "data": {"id": format!("t{n}")}})))
                }),
            )
            .route(
                "/api/v1/tenants/t0/api-keys",
                post(async move |Json(body): Json<Value>| {
                    assert_eq!(body, json!({"name": "local", "role": "admin"}));
                    let n = keys[1].fetch_add(1, Ordering::Relaxed);
                    let status = if n == 0 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CREATED };
                    (status, Json(json!({"data": {"key": format!("stk_{n}")}})))
                }),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, made)
    }

    #[tokio::test]
    async fn after_an_interrupted_start_there_is_no_second_tenant_and_the_key_stays() {
        let (url, made) = api().await;
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().to_owned());
        key(&url, "stk_operator_x", &data).await.unwrap_err();
        assert_eq!(key(&url, "stk_operator_x", &data).await.unwrap(), "stk_1");
        assert_eq!(key(&url, "stk_operator_x", &data).await.unwrap(), "stk_1");
        assert_eq!(made[0].load(Ordering::Relaxed), 1);
        assert_eq!(made[1].load(Ordering::Relaxed), 2);
    }
    #[test]
    fn only_the_owner_can_read_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::Folder(folder.path().to_owned());
        assert_eq!(kept(&data).unwrap(), None);
        for key in ["one", "two"] {
            keep(&data, &Kept { tenant_id: "t".to_owned(), key: Some(key.to_owned()) }).unwrap();
        }
        assert_eq!(kept(&data).unwrap().unwrap(), "two");
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
