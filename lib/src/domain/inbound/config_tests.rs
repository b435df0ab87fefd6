//! Tests of webhook configs: what is accepted, what is refused, and what callers see.

use serde_json::json;

use super::*;

fn mistakes(body: &Value) -> Vec<String> {
    let error = parse(body, false).expect_err("refused");
    error.errors.into_iter().map(|error| error.field).collect()
}

fn config(body: &Value) -> Config {
    let (spec, _) = parse(body, true).expect("accepted");
    Config {
        id: uuid::Uuid::from_u128(1).into(),
        integration_id: uuid::Uuid::from_u128(2).into(),
        tenant_id: uuid::Uuid::from_u128(3).into(),
        spec,
        sealed_secret: Some("sealed".to_owned()),
        sealed_previous_secret: None,
        url_token_hash: Some("hash".to_owned()),
        previous_url_token_hash: None,
        created_at: DateTime::default(),
        updated_at: DateTime::default(),
        revision: 1,
    }
}

fn full() -> Value {
    json!({
        "name": "Harbor", "type": "registry-push", "provider": "auto", "secretRef": "harbor",
        "authentication": {"type": "hmac", "header": "X-Sig", "algorithm": "hmac-sha256", "prefix": "v1=",
            "encoding": "hex", "signed": "timestamp.body", "toleranceSeconds": 60},
        "enabled": false,
        "filters": [{"field": "$.tag", "operator": "matches", "value": "^v\\d+\\.\\d+\\.\\d+$"}],
        "repositories": ["myorg/*"],
        "retryPolicy": {"maxRetries": 5, "backoffType": "linear", "backoffSeconds": 1, "maxBackoffSeconds": 60},
        "mapping": {"repository": "$.name", "tag": "$.tag"}
    })
}

#[test]
fn the_config_of_the_specification_is_accepted_with_its_signature() {
    let body = json!({
        "name": "Registry", "type": "registry-push", "secretRef": "registry",
        "signatureHeader": "X-Signature", "signatureAlgorithm": "hmac-sha1", "enabled": true,
        "filters": [{"field": "$.tag", "operator": "matches", "value": "^v\\d+\\.\\d+\\.\\d+$"}],
        "retryPolicy": {"maxRetries": 3, "backoffType": "exponential", "backoffSeconds": 10}
    });
    let (spec, secrets) = parse(&body, false).expect("accepted");
    assert_eq!((spec.provider, secrets.secret), (Provider::Auto, None));
    assert!(matches!(spec.scheme(), Scheme::Hmac { algorithm: Algorithm::HmacSha1, .. }));
}

#[test]
fn the_time_in_the_normalised_form_orders_pushes_and_that_of_a_mapped_body_if_the_config_says_so() {
    let orders = |more: Value| {
        let mut body = json!({"name": "a", "type": "generic", "provider": "generic"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(&body, true).expect("accepted").0.orders_by_time()
    };
    assert_eq!(orders(json!({})), Some(true));
    assert_eq!(orders(json!({"timeIsPush": false})), Some(false));
    assert_eq!(orders(json!({"mapping": {"repository": "$.a"}})), Some(false));
    assert_eq!(orders(json!({"mapping": {"repository": "$.a"}, "timeIsPush": true})), Some(true));
}

#[test]
fn a_sender_that_cannot_sign_needs_no_secret() {
    let body = json!({"name": "Hub", "type": "registry-push", "provider": "dockerhub"});
    let (spec, _) = parse(&body, false).expect("accepted");
    assert!(spec.scheme().needs_url_token());
    assert!(spec.enabled);
}

#[test]
fn every_mistake_is_named_at_once() {
    let mistakes = mistakes(&json!({"type": "registry", "provider": "hub", "secret": "s", "secretRef": "r",
        "signatureHeader": "a b", "signatureAlgorithm": "md5", "authentication": {"type": "token"},
        "enabled": "yes", "filters": [{"field": "$.[", "operator": "equals", "value": 1}],
        "repositories": ["*"], "retryPolicy": {"maxRetries": 99}, "mapping": {"tag": "tag"}, "colour": "red"}));
    for field in [
        "name",
        "type",
        "provider",
        "signatureHeader",
        "signatureAlgorithm",
        "authentication.header",
        "enabled",
        "filters[0].field",
        "repositories[0]",
        "retryPolicy.maxRetries",
        "mapping.repository",
        "mapping.tag",
        "colour",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake == field), "{field} is not among {mistakes:?}");
    }
}

#[test]
fn a_secret_is_required_if_needed_and_must_fit() {
    let base = |more: Value| {
        let mut body = json!({"name": "x", "type": "generic", "provider": "generic"});
        crate::domain::shared::merge_patch::merge(&mut body, &more);
        body
    };
    for (more, field) in [
        (json!({"signatureHeader": "X-Sig"}), "secret"),
        (json!({"signatureHeader": "X-Sig", "secret": "  "}), "secret"),
        (json!({"signatureHeader": "X-Sig", "secret": "a", "secretRef": "b"}), "secret"),
        (json!({"secret": "never used"}), "secret"),
        (json!({"signatureAlgorithm": "hmac-sha256", "secretRef": "b"}), "signatureHeader"),
        (json!({"authentication": {"type": "basic"}, "secret": "no colon"}), "secret"),
        (json!({"authentication": {"type": "token", "header": "X-T"}, "secret": "ä"}), "secret"),
        (json!({"authentication": "standardWebhooks", "secret": "whsec_***"}), "secret"),
        (json!({"authentication": "basic", "secret": "a:b", "signatureHeader": "X-Sig"}), "authentication"),
    ] {
        assert_eq!(mistakes(&base(more.clone())), [field], "{more}");
    }
    let stored = parse(&base(json!({"signatureHeader": "X-Sig"})), true);
    assert!(stored.is_ok(), "a secret that is stored need not be sent again");
}

#[test]
fn a_secret_with_blanks_or_line_breaks_at_its_ends_is_refused() {
    for (provider, secret) in [
        ("ghcr", "key\n"),
        ("ghcr", "\r\nkey"),
        ("ghcr", "key\u{a0}"),
        ("harbor", "token "),
        ("gitea", "\tkey"),
    ] {
        let body = json!({"name": "x", "type": "registry-push", "provider": provider, "secret": secret});
        let error = parse(&body, false).expect_err("refused");
        let mistake = &error.errors[0];
        assert_eq!(mistake.field, "secret", "{provider} {secret:?}");
        assert!(mistake.message.contains("blanks or line breaks"), "{}", mistake.message);
        let trimmed = json!({"name": "x", "type": "registry-push", "provider": provider, "secret": "a b"});
        assert!(parse(&trimmed, false).is_ok());
    }
    for authentication in [json!("standardWebhooks"), json!("basic"), json!("httpSignature")] {
        let secret = "user:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n";
        let body =
            json!({"name": "x", "type": "generic", "authentication": authentication, "secret": secret});
        assert_eq!(mistakes(&body), ["secret"], "{authentication}");
    }
}

#[test]
fn a_sender_that_does_not_fit_the_type_is_refused() {
    let body = json!({"name": "x", "type": "ci-pipeline", "provider": "harbor", "secret": "a"});
    assert_eq!(mistakes(&body), ["provider"]);
}

#[test]
fn a_mapping_is_for_bodies_without_a_form_of_their_own() {
    let body = json!({"name": "x", "type": "registry-push", "provider": "dockerhub",
        "mapping": {"repository": "$.name"}});
    assert_eq!(mistakes(&body), ["mapping"]);
}

#[test]
fn a_patch_is_merged_onto_the_stored_spec() {
    let config = config(&full());
    let stored = config.spec_json();
    assert_eq!(stored, full());
    let (spec, _) = parse(&stored, true).expect("accepted again");
    assert_eq!(spec, config.spec);
}

#[test]
fn a_config_is_stored_as_it_is_read() {
    let config = config(&full());
    let stored = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::from_value::<Config>(stored).unwrap(), config);
}

#[test]
fn callers_see_the_address_and_no_secret() {
    let view = json!(config(&full()).view("https://stella.example.com/", None, None));
    assert_eq!(
        view["url"],
        "https://stella.example.com/api/v1/webhooks/registry/00000000-0000-0000-0000-000000000002"
    );
    let mut members: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "authentication",
            "createdAt",
            "enabled",
            "filters",
            "id",
            "integrationId",
            "mapping",
            "maxAgeSeconds",
            "name",
            "provider",
            "replayProtection",
            "repositories",
            "retryPolicy",
            "secretRef",
            "tenantId",
            "type",
            "updatedAt",
            "url"
        ]
    );
}

#[test]
fn a_rotated_secret_is_valid_until_its_time() {
    let mut config = config(&full());
    let until = DateTime::from_timestamp(1_000, 0).unwrap();
    config.previous_url_token_hash = Some(Previous { value: "old".to_owned(), until });
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    assert_eq!(config.live_url_token_hashes(at(999)), ["hash", "old"]);
    assert_eq!(config.live_url_token_hashes(at(1_000)), ["hash"]);
    assert_eq!(config.live_sealed_secrets(at(0)), ["sealed"]);
}

#[test]
fn a_disabled_config_and_an_address_of_another_type_serve_nothing() {
    let disabled = config(&full());
    assert!(!disabled.serves(WebhookType::RegistryPush));
    let enabled = config(&json!({"name": "x", "type": "registry-push"}));
    assert!(enabled.serves(WebhookType::RegistryPush));
    assert!(!enabled.serves(WebhookType::Generic));
}
