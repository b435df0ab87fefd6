//! The cost of authenticating and reading a push, compared with what cannot be saved: the hash of its body,
//! and parsing it.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use std::hint::black_box;

use chrono::DateTime;
use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stella::domain::inbound::auth::verify::{Live, Request, verify};
use stella::domain::inbound::normalise::{Settings, normalise};
use stella::domain::inbound::provider::Provider;
use stella::domain::inbound::scheme::Scheme;
use stella::domain::inbound::webhook_type::WebhookType;

const SECRET: &str = "a secret";

/// A push of GitHub's with enough commits to have about 10 KB.
fn body() -> Vec<u8> {
    let push = include_str!("../../events/inbound/github/push-branch.json");
    let mut push: Value = serde_json::from_str(push).unwrap();
    let commit = push.get("head_commit").cloned().unwrap();
    push.as_object_mut().unwrap().insert("commits".to_owned(), vec![commit; 108].into());
    let body = serde_json::to_vec(&push).unwrap();
    assert!((9_000..11_000).contains(&body.len()), "{}", body.len());
    body
}

fn inbound(criterion: &mut Criterion) {
    let body = body();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("x-hub-signature-256", signature.parse().unwrap());
    let scheme = Scheme::of(Provider::Auto, WebhookType::GithubApp, None, None, None);
    let now = DateTime::default();

    criterion.bench_function("sha-256 and serde_json of a 10 KB push", |bencher| {
        bencher.iter(|| {
            let hash = Sha256::digest(black_box(&body));
            let value: Value = serde_json::from_slice(black_box(&body)).unwrap();
            (hash, value)
        });
    });
    criterion.bench_function("verify and normalise a 10 KB push", |bencher| {
        bencher.iter(|| {
            let request = Request { headers: &headers, body: black_box(&body), url_token: None };
            let live = Live { secrets: &[SECRET], ..Live::default() };
            let verified = verify(&scheme, request, live, now).unwrap();
            normalise(&verified, &Settings::of(WebhookType::GithubApp, Provider::Auto), now).unwrap()
        });
    });
}

criterion_group!(benches, inbound);
criterion_main!(benches);
