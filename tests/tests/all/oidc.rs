//! Senders and callers that authenticate with a JWT of an OIDC issuer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use end_to_end::{World, id};
use http::StatusCode;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use sam_local::{Settings, Time};
use serde_json::{Value, json};
use stella::clock::{Clock as _, SystemClock};
use stella_local::Functions;

/// An issuer on loopback that counts how often its keys are fetched.
struct Issuer {
    url: String,
    pair: EcdsaKeyPair,
    fetches: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let keys = json!({"keys": [{"kid": "k1", "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
        let fetches: Arc<AtomicUsize> = Arc::default();
        let serve_keys = async move |State(fetches): State<Arc<AtomicUsize>>| {
            fetches.fetch_add(1, Ordering::SeqCst);
            keys.to_string()
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async move || discovery.clone()))
            .route("/keys", get(serve_keys))
            .with_state(Arc::clone(&fetches));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, pair, fetches }
    }

    fn token(&self, kid: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256", "kid": kid})), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[tokio::test]
async fn a_sender_is_authenticated_only_by_a_valid_token_of_its_issuer() {
    let world = World::with(Functions::ours(), Time::manual(SystemClock.now())).await;
    let issuer = Issuer::start().await;
    let body = json!({"name": "gar", "type": "registry-push", "provider": "gar", "authentication": {
        "type": "oidc", "issuer": issuer.url, "audience": "stella",
        "claims": {"email": "pusher@example.com", "email_verified": true}}});
    let config = world.config(&body).await;
    let push = json!({"action": "INSERT", "tag": "europe-docker.pkg.dev/proj/repo/myapp:v1.2.0"}).to_string();
    let now = world.time.now().timestamp();
    let claims = json!({"iss": issuer.url, "aud": "stella", "exp": now + 3600, "email": "pusher@example.com",
        "email_verified": true});
    let status = async |token: &str| world.push(&config, &[("authorization", token)], &push).await.status;

    assert_eq!(status(&issuer.token("k1", &claims)).await, StatusCode::OK);
    assert_eq!(status(&issuer.token("k1", &claims)).await, StatusCode::OK);
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 1, "the keys are cached");
    for (name, value) in
        [("aud", json!("other")), ("email", json!("x@example.com")), ("exp", json!(now - 3600))]
    {
        let mut wrong = claims.clone();
        wrong[name] = value;
        assert_eq!(status(&issuer.token("k1", &wrong)).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    let stranger = Issuer::start().await;
    assert_eq!(status(&stranger.token("k1", &claims)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("Bearer nonsense").await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.push(&config, &[], &push).await.status, StatusCode::UNAUTHORIZED);

    // Tokens with an unknown key id cause the keys to be fetched again, at most once in thirty seconds.
    world.time.advance(Duration::seconds(31));
    for _ in 0..5 {
        assert_eq!(status(&issuer.token("k9", &claims)).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 2);
}

/// A system that accepts JWTs of this issuer.
async fn world_with_issuer(issuer: &Issuer) -> World {
    let parameters = [("JwtIssuer", issuer.url.as_str()), ("JwtAudience", "stella")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    World::made_of(Settings { parameters: parameters.into(), ..stella_local::settings() }).await
}

#[tokio::test]
async fn a_caller_with_a_jwt_of_the_deployments_issuer_needs_no_api_key() {
    let issuer = Issuer::start().await;
    let world = world_with_issuer(&issuer).await;
    let tenant = id(world.operator.post("/api/v1/tenants", &json!({"name": "t"})).await.unwrap().data());
    let claims = json!({"iss": issuer.url, "aud": "stella", "exp": SystemClock.now().timestamp() + 300,
        "tenantId": tenant, "role": "publisher"});
    let with = |issuer: &Issuer, claims: &Value| {
        let token = issuer.token("k1", claims);
        world.operator.with_key(token.strip_prefix("Bearer ").unwrap())
    };
    let caller = with(&issuer, &claims);
    let event = json!({"event": "release.created", "data": world.example("release.created")});
    let published = caller.post("/api/v1/events", &event).await.unwrap();
    assert_eq!(published.status, StatusCode::ACCEPTED);
    let mine = format!("/api/v1/events/{}", id(published.data()));
    assert_eq!(caller.get(&mine).await.unwrap().body["data"]["tenantId"], json!(tenant));
    assert_eq!(world.admin.get(&mine).await.unwrap().status, StatusCode::NOT_FOUND, "another tenant's");

    let key = json!({"name": "k", "role": "admin"});
    assert_eq!(caller.post("/api/v1/api-keys", &key).await.unwrap().status, StatusCode::FORBIDDEN);
    assert_eq!(caller.get("/api/v1/tenants").await.unwrap().status, StatusCode::FORBIDDEN);
    for (name, value) in [
        ("aud", json!("other")),
        ("exp", json!(1)),
        ("role", json!("operator")),
        ("role", Value::Null),
        ("tenantId", json!("not an id")),
        ("tenantId", json!(uuid::Uuid::nil())),
    ] {
        let mut wrong = claims.clone();
        wrong[name] = value.clone();
        let answer = with(&issuer, &wrong).get("/api/v1/events").await.unwrap();
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name} {value}");
    }
    let stranger = Issuer::start().await;
    let answer = with(&stranger, &claims).get("/api/v1/events").await.unwrap();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_a_configured_issuer_every_jwt_is_refused() {
    let world = World::start().await;
    let issuer = Issuer::start().await;
    let claims = json!({"iss": issuer.url, "aud": "stella", "exp": SystemClock.now().timestamp() + 300,
        "tenantId": uuid::Uuid::nil(), "role": "admin"});
    let token = issuer.token("k1", &claims);
    let caller = world.operator.with_key(token.strip_prefix("Bearer ").unwrap());
    assert_eq!(caller.get("/api/v1/events").await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_issuer_with_a_forbidden_address_is_refused_when_saved() {
    let world = World::start().await;
    for issuer in ["http://10.0.0.1", "https://169.254.169.254", "nonsense"] {
        let body = json!({"name": "x", "type": "registry-push", "provider": "gar", "authentication": {
            "type": "oidc", "issuer": issuer, "audience": "a", "claims": {"sub": "b"}}});
        let answer = world.post("/api/v1/webhook-configs", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{issuer}");
        assert_eq!(answer.body["errors"][0]["field"], "authentication.issuer");
    }
}
