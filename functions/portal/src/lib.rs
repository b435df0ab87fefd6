//! `portal`: serves the web UI's static files. Its data comes from the API.

mod files;
// The build script uses it.
#[cfg(test)]
mod guide;

use std::future::ready;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use chrono::{DateTime, Utc};
use stella::environment::Environment;
use stella::error::{Code, Error, Kind};
use stella::function::{Answer, Function};
use stella::web::gateway;

use self::files::{FILES, PAGE, revision};

/// The Content-Security-Policy: scripts and styles of this host only, none inline, no HTML from strings.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The function.
pub struct Portal {
    router: Router,
}

/// Creates the function; it reads nothing from the environment.
///
/// # Errors
/// Never.
pub fn start(_: Environment) -> impl Future<Output = Result<Portal, Error>> + Send + 'static {
    ready(Ok(Portal { router: router() }))
}

impl Function for Portal {
    fn handle<'a>(&'a self, event: &'a str, _: DateTime<Utc>) -> Answer<'a> {
        Box::pin(gateway::serve(&self.router, event))
    }
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { (StatusCode::FOUND, [(LOCATION, "/portal")]) }))
        .route("/portal", get(|| async { page() }))
        .route("/portal/{revision}/{*file}", get(file))
        .fallback(|| async { Error::not_found() })
        .method_not_allowed_fallback(|| async {
            Error::new(Kind::MethodNotAllowed, Code::MethodNotAllowed, "This method is not for this resource")
        })
}

/// The page of the single-page application. It names the files of this revision, so browsers revalidate it.
fn page() -> impl IntoResponse {
    served("text/html; charset=utf-8", "no-cache", PAGE.replace("{revision}", revision()))
}

/// A file. Its URL contains the revision, so its content never changes.
async fn file(Path((requested, name)): Path<(String, String)>) -> Result<impl IntoResponse, Error> {
    let found = FILES.iter().find(|(path, _)| *path == name).ok_or_else(Error::not_found)?;
    // During a deployment a page of the other revision may ask: it gets this revision's file, uncached.
    let caching = if requested == revision() { "public, max-age=31536000, immutable" } else { "no-store" };
    Ok(served(media_type(&name), caching, found.1.to_owned()))
}

fn served(media_type: &'static str, caching: &'static str, text: String) -> impl IntoResponse {
    let mut response = Response::new(text);
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, caching),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use axum::http::{Request, Response};
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use stella::domain::inbound::senders::SENDERS;
    use tower::ServiceExt as _;

    use super::*;

    async fn get_file(path: &str) -> (Response<Body>, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (parts, body) = router().oneshot(request).await.unwrap().into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        (Response::from_parts(parts, Body::empty()), text)
    }

    #[tokio::test]
    async fn the_page_names_files_of_its_revision_which_exist_and_are_immutable() {
        let (page, text) = get_file("/portal").await;
        assert_eq!(page.headers()["cache-control"], "no-cache");
        let addresses: Vec<&str> = text.split('"').filter(|part| part.starts_with("/portal/")).collect();
        assert!(addresses.len() >= 3, "{text}");
        for address in addresses {
            let (file, _) = get_file(address).await;
            assert_eq!(file.status(), StatusCode::OK, "{address}");
            assert!(file.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{address}");
            assert!(
                file.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'")
            );
        }
    }

    #[tokio::test]
    async fn a_file_of_another_revision_is_not_cached_and_an_unknown_one_is_not_found() {
        let (file, _) = get_file("/portal/0/app.js").await;
        assert_eq!(file.headers()["cache-control"], "no-store");
        assert_eq!(file.headers()["content-type"], "text/javascript; charset=utf-8");
        for path in ["/portal/0/nothing.js", "/portal/0/../Cargo.toml", "/other"] {
            assert_eq!(get_file(path).await.0.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(get_file("/").await.0.headers()["location"], "/portal");
    }

    #[tokio::test]
    async fn every_sender_has_a_guide_and_no_link_in_them_leads_nowhere() {
        let (file, text) = get_file("/portal/0/guides.json").await;
        assert_eq!(file.headers()["content-type"], "application/json");
        let guides: Vec<Value> = serde_json::from_str(&text).unwrap();
        for sender in SENDERS {
            let guide = guides.iter().find(|guide| guide["name"] == sender.page.name).unwrap();
            // By this heading the portal finds the guide.
            let title = format!("# {}\n", guide["title"].as_str().unwrap());
            assert!(sender.page.text.starts_with(&title), "{sender:?}");
        }
        let titles: BTreeSet<&str> = guides.iter().filter_map(|guide| guide["title"].as_str()).collect();
        assert_eq!(titles.len(), guides.len(), "a title is there twice");
        let addresses: Vec<&str> =
            text.split("\"href\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(addresses.contains(&"#/inbound/senders/dockerhub"), "{addresses:?}");
        for name in addresses.iter().filter_map(|address| address.strip_prefix("#/inbound/senders/")) {
            assert!(guides.iter().any(|guide| guide["name"] == name), "{name}");
        }
    }

    #[test]
    fn every_import_exists_and_the_first_page_is_small() {
        for (name, text) in FILES.iter().filter(|(name, _)| media_type(name).contains("javascript")) {
            for import in text.split("import").skip(1).filter_map(|rest| rest.split(['"', '\'']).nth(1)) {
                let Some(path) = import.strip_prefix("./") else { continue };
                assert!(FILES.iter().any(|(other, _)| *other == path), "{name} imports {import}");
            }
        }
        let mut first = vec!["app.js", "overview.js", "style.css", "icon.svg"];
        let mut at = 0;
        while let Some(name) = first.get(at).copied() {
            let text = FILES.iter().find(|(path, _)| *path == name).map(|(_, text)| *text).unwrap();
            let imports = text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next());
            for import in imports {
                if !first.contains(&import) {
                    first.push(import);
                }
            }
            at += 1;
        }
        let loaded = FILES.iter().filter(|(name, _)| first.contains(name));
        let bytes: usize = loaded.map(|(_, text)| text.len()).sum::<usize>() + PAGE.len();
        assert!(bytes < 60 * 1024, "{bytes} bytes: {first:?}");
    }
}
