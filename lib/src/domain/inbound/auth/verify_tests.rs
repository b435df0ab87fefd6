//! Tests of authentication: what passes and what does not, by scheme, and that nothing else passes.

use http::HeaderName;
use proptest::prelude::*;

use super::*;
use crate::domain::inbound::authentication::Authentication;
use crate::domain::inbound::provider::Provider;
use crate::domain::inbound::webhook_type::WebhookType;

const BODY: &[u8] = b"Hello, World!";
const SECRET: &str = "It's a Secret to Everybody";
/// HMAC-SHA256 of the body under the secret: the example in GitHub's documentation ("Validating webhook
/// deliveries").
const SHA256: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
/// HMAC-SHA1 of the same.
const SHA1: &str = "01dc10d0c83e72ed246219cdd91669667fe2ca59";
const NOW: i64 = 1_704_067_200;

fn headers(said: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn passes(scheme: &Scheme, said: &[(&str, &str)], secrets: &[&str], body: &[u8]) -> bool {
    let headers = headers(said);
    let request = Request { headers: &headers, body, url_token: None };
    let now = DateTime::from_timestamp(NOW, 0).unwrap();
    verify(scheme, request, Live { secrets, url_token_hashes: &[], issuers_keys: None }, now).is_ok()
}

fn overriding(algorithm: Option<Algorithm>) -> Scheme {
    Scheme::of(Provider::of("generic").unwrap(), WebhookType::Generic, None, Some("X-Signature"), algorithm)
}

fn timed() -> Scheme {
    Scheme::of(Provider::of("buildkite").unwrap(), WebhookType::CiPipeline, None, None, None)
}

fn signed_at(seconds: &str, body: &[u8]) -> String {
    hex::encode(Algorithm::HmacSha256.mac(SECRET.as_bytes(), &[seconds.as_bytes(), b".", body]))
}

#[test]
fn a_signature_verifies_with_or_without_its_prefix() {
    for value in [SHA256.to_owned(), format!("sha256={SHA256}"), SHA256.to_uppercase()] {
        assert!(passes(&overriding(None), &[("x-signature", &value)], &[SECRET], BODY), "{value}");
    }
}

#[test]
fn sha1_verifies_only_if_it_is_set() {
    let sha1 = Some(Algorithm::HmacSha1);
    for value in [SHA1.to_owned(), format!("sha1={SHA1}")] {
        assert!(passes(&overriding(sha1), &[("x-signature", &value)], &[SECRET], BODY), "{value}");
        assert!(!passes(&overriding(None), &[("x-signature", &value)], &[SECRET], BODY), "{value}");
    }
    assert!(!passes(&overriding(sha1), &[("x-signature", SHA256)], &[SECRET], BODY));
}

#[test]
fn empty_short_repeated_and_misnamed_signatures_do_not_verify() {
    let scheme = overriding(None);
    for said in [
        vec![],
        vec![("x-signature", "")],
        vec![("x-signature", "sha256=")],
        vec![("x-signature", "sha256")],
        vec![("x-signature", "s")],
        vec![("x-signature", ",")],
        vec![("x-signature", &SHA256[..62])],
        vec![("x-signature", &SHA256[..63])],
        vec![("x-signature", SHA256), ("x-signature", SHA256)],
        vec![("x-other", SHA256)],
    ] {
        assert!(!passes(&scheme, &said, &[SECRET], BODY), "{said:?}");
    }
    let joined = format!("{SHA256}, {SHA256}");
    assert!(!passes(&scheme, &[("x-signature", &joined)], &[SECRET], BODY));
}

#[test]
fn an_empty_secret_never_verifies() {
    let empty = hex::encode(Algorithm::HmacSha256.mac(b"", &[BODY]));
    assert!(!passes(&overriding(None), &[("x-signature", &empty)], &[""], BODY));
    assert!(!passes(&overriding(None), &[("x-signature", &empty)], &[], BODY));
    let token = Scheme::Token { header: "x-token".to_owned(), prefix: None };
    assert!(!passes(&token, &[("x-token", "")], &[""], BODY));
    assert!(!passes(&token, &[("x-token", " ")], &[" "], BODY));
    assert!(!passes(&Scheme::Basic, &[("authorization", "Basic ")], &[""], BODY));
}

#[test]
fn while_rotating_either_secret_verifies() {
    let said = [("x-signature", SHA256)];
    assert!(passes(&overriding(None), &said, &["new", SECRET], BODY));
    assert!(passes(&overriding(None), &said, &[SECRET, "old"], BODY));
    assert!(!passes(&overriding(None), &said, &["new", "old"], BODY));
}

#[test]
fn in_a_list_the_entry_with_the_prefix_counts() {
    let scheme = Scheme::of(Provider::of("circleci").unwrap(), WebhookType::CiPipeline, None, None, None);
    for (value, expected) in [
        (format!("v1={SHA256}"), true),
        (format!("v2=aa, v1={SHA256}"), true),
        (format!("v1=aa,v1={SHA256}"), true),
        (format!("v2={SHA256}"), false),
        (SHA256.to_owned(), false),
    ] {
        assert_eq!(passes(&scheme, &[("circleci-signature", &value)], &[SECRET], BODY), expected, "{value}");
    }
}

#[test]
fn a_signed_time_must_be_near_and_present_once() {
    let sign = |seconds: i64| {
        let seconds = seconds.to_string();
        format!("timestamp={seconds},signature={}", signed_at(&seconds, BODY))
    };
    let check = |value: &str| passes(&timed(), &[("x-buildkite-signature", value)], &[SECRET], BODY);
    for (offset, expected) in [(0, true), (-300, true), (300, true), (-301, false), (301, false)] {
        assert_eq!(check(&sign(NOW + offset)), expected, "{offset}");
    }
    let moved = sign(NOW).replace("timestamp=1704067200", "timestamp=1704067201");
    assert!(!check(&moved), "the time is signed");
    assert!(!check(&format!("t={NOW},{}", sign(NOW))), "one time");
    assert!(!check(&format!("signature={}", signed_at("", BODY))), "no time");
    for bad in ["", "-1", "+1704067200", "1704067200.0", "99999999999999999999999", "x"] {
        assert!(!check(&format!("timestamp={bad},signature={}", signed_at(bad, BODY))), "{bad}");
    }
}

#[test]
fn base64_verifies_if_it_is_set() {
    let said = serde_json::json!({"type": "hmac", "header": "X-Sig", "algorithm": "hmac-sha256", "encoding": "base64"});
    let scheme: Scheme = serde_json::from_value::<Authentication>(said).unwrap().into();
    let value = STANDARD.encode(hex::decode(SHA256).unwrap());
    assert!(passes(&scheme, &[("x-sig", &value)], &[SECRET], BODY));
    assert!(!passes(&scheme, &[("x-sig", SHA256)], &[SECRET], BODY));
}

#[test]
fn a_token_is_compared_whole_after_its_prefix() {
    let bare = Scheme::Token { header: "X-Gitlab-Token".to_owned(), prefix: None };
    let bearer = Scheme::Token { header: "Authorization".to_owned(), prefix: Some("Bearer ".to_owned()) };
    for (scheme, header, value, expected) in [
        (&bare, "x-gitlab-token", "s3cret", true),
        (&bare, "x-gitlab-token", "s3cre", false),
        (&bare, "x-gitlab-token", "s3crett", false),
        (&bare, "x-gitlab-token", "S3CRET", false),
        (&bearer, "authorization", "Bearer s3cret", true),
        (&bearer, "authorization", "bearer s3cret", true),
        (&bearer, "authorization", "s3cret", false),
        (&bearer, "authorization", "Bearer ", false),
        (&bearer, "authorization", "B", false),
    ] {
        assert_eq!(passes(scheme, &[(header, value)], &["s3cret"], BODY), expected, "{value}");
    }
    assert!(!passes(&bare, &[("x-gitlab-token", "s3cret"), ("x-gitlab-token", "s3cret")], &["s3cret"], BODY));
}

#[test]
fn basic_takes_a_password_with_colons() {
    let value = |credential: &str| format!("Basic {}", STANDARD.encode(credential));
    let check = |value: &str| passes(&Scheme::Basic, &[("authorization", value)], &["me:a:b"], BODY);
    assert!(check(&value("me:a:b")));
    assert!(check(&value("me:a:b").replace("Basic", "basic")));
    for bad in
        [value("me:a"), value("you:a:b"), value(""), "Bearer me:a:b".to_owned(), "Basic me:a:b".to_owned()]
    {
        assert!(!check(&bad), "{bad}");
    }
}

#[test]
fn our_own_signatures_verify_as_standard_webhooks() {
    let secret = SigningSecret::mint([9; 32]);
    let value = secret.sign_standard("msg_1", NOW, BODY);
    let check = |id: &str, time: &str, value: &str| {
        let said = [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", value)];
        passes(&Scheme::StandardWebhooks, &said, &["whsec_***", secret.expose()], BODY)
    };
    assert!(check("msg_1", "1704067200", &value));
    assert!(check("msg_1", "1704067200", &format!("v2,AAAA v1,AAAA {value}")));
    for (id, time, value) in [
        ("msg_2", "1704067200", value.as_str()),
        ("msg_1", "1704067201", &value),
        ("msg_1", "01704067200", &value),
        ("msg_1", "1704067200", "v1,"),
        ("msg_1", "1704067200", ""),
        ("", "1704067200", &value),
        ("msg_1", "1704067200", value.trim_start_matches("v1,")),
        ("msg_1", "1704067501", &secret.sign_standard("msg_1", 1_704_067_501, BODY)),
        ("msg.1", "1704067200", &secret.sign_standard("msg.1", NOW, BODY)),
    ] {
        assert!(!check(id, time, value), "{id} {time} {value}");
    }
}

#[test]
fn the_older_headers_of_standard_webhooks_count_where_the_newer_are_absent() {
    let secret = SigningSecret::mint([9; 32]);
    let value = secret.sign_standard("msg_1", NOW, BODY);
    let older = [("svix-id", "msg_1"), ("svix-timestamp", "1704067200"), ("svix-signature", value.as_str())];
    let check = |said: &[(&str, &str)], body: &[u8]| {
        passes(&Scheme::StandardWebhooks, said, &[secret.expose()], body)
    };
    assert!(check(&older, BODY));
    assert!(!check(&older, b"another"));
    assert!(!check(&[older.as_slice(), &[("webhook-signature", "v1,AAAA")]].concat(), BODY));
    let mixed =
        [("svix-id", "msg_1"), ("webhook-timestamp", "1704067200"), ("webhook-signature", value.as_str())];
    assert!(!check(&mixed, BODY));
}

#[test]
fn a_url_token_verifies_by_its_hash_during_a_rotation_too() {
    let hashes = [secret_hash("new"), secret_hash("old")];
    let hashes = hashes.each_ref().map(String::as_str);
    let check = |token: Option<&str>, hashes: &[&str]| {
        let none = HeaderMap::new();
        let request = Request { headers: &none, body: BODY, url_token: token };
        let live = Live { secrets: &["x"], url_token_hashes: hashes, issuers_keys: None };
        verify(&Scheme::UrlToken, request, live, DateTime::default()).is_ok()
    };
    assert!(check(Some("new"), &hashes) && check(Some("old"), &hashes));
    assert!(!check(Some("other"), &hashes) && !check(Some(""), &hashes) && !check(None, &hashes));
    assert!(!check(Some("new"), &[]) && !check(Some(""), &[""]) && !check(Some(hashes[0]), &hashes));
}

#[test]
fn oidc_without_keys_does_not_verify() {
    let scheme = Scheme::Oidc { issuer: String::new(), audience: String::new(), claims: [].into() };
    assert!(!passes(&scheme, &[("authorization", "Bearer x")], &["x"], BODY));
}

#[test]
fn a_refusal_does_not_tell_the_reason() {
    let error = Error::from(Unverified);
    assert_eq!((error.kind, error.errors.len()), (Kind::Unauthenticated, 0));
    assert_eq!(error.detail, "The request could not be authenticated");
}

fn every_scheme() -> Vec<Scheme> {
    let named = Provider::all().flat_map(|(_, provider)| {
        WebhookType::ALL.map(|(_, webhook_type)| Scheme::of(provider, webhook_type, None, None, None))
    });
    let prefixed = Scheme::Token { header: "x-sig".to_owned(), prefix: Some("Bearer ".to_owned()) };
    named.chain([overriding(None), prefixed, Scheme::Basic, Scheme::StandardWebhooks]).collect()
}

proptest! {
    #[test]
    fn no_header_and_no_body_panics_or_verifies(
        value in proptest::collection::vec(prop_oneof![Just(b','), Just(b'='), 32..=126_u8, 128..=255_u8], 0..80),
        start in prop::sample::select(vec!["", "sha256=", "v1=", "v1,", "timestamp=1704067200,signature=", "Basic "]),
        body: Vec<u8>, token in ".{0,50}"
    ) {
        let value = http::HeaderValue::from_bytes(&[start.as_bytes(), &value].concat()).unwrap();
        for scheme in every_scheme() {
            let mut headers = headers(&[("webhook-id", "a"), ("webhook-timestamp", "1704067200")]);
            for header in scheme.headers() {
                headers.insert(header.parse::<HeaderName>().unwrap(), value.clone());
            }
            let request = Request { headers: &headers, body: &body, url_token: Some(&token) };
            let hash = secret_hash("the token");
            let live = Live { secrets: &["a secret that nobody guesses"], url_token_hashes: &[&hash], issuers_keys: None };
            let now = DateTime::from_timestamp(NOW, 0).unwrap();
            prop_assert!(verify(&scheme, request, live, now).is_err());
        }
    }

    #[test]
    fn a_changed_byte_never_verifies(body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, change in 1..=255_u8) {
        let plain = hex::encode(Algorithm::HmacSha256.mac(SECRET.as_bytes(), &[&body]));
        let dated = format!("timestamp={NOW},signature={}", signed_at(&NOW.to_string(), &body));
        let standard = SigningSecret::parse(SECRET).unwrap().sign_standard("a", NOW, &body);
        let said = [
            (overriding(None), vec![("x-signature", plain.as_str())]),
            (timed(), vec![("x-buildkite-signature", dated.as_str())]),
            (Scheme::StandardWebhooks, vec![("webhook-id", "a"), ("webhook-timestamp", "1704067200"),
                ("webhook-signature", standard.as_str())]),
        ];
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= change;
        for (scheme, headers) in &said {
            prop_assert!(passes(scheme, headers, &[SECRET], &body));
            prop_assert!(!passes(scheme, headers, &[SECRET], &changed));
        }
    }

    #[test]
    fn a_changed_digit_of_the_signature_never_verifies(at in 0..64_usize, digit in 0..16_u8) {
        let mut value = SHA256.to_owned().into_bytes();
        let digit = b"0123456789abcdef"[usize::from(digit)];
        prop_assume!(value[at] != digit);
        value[at] = digit;
        let value = String::from_utf8(value).unwrap();
        prop_assert!(!passes(&overriding(None), &[("x-signature", &value)], &[SECRET], BODY));
    }
}

#[test]
fn a_sender_with_two_schemes_may_use_either_but_a_wrong_signature_fails() {
    let artifactory =
        Scheme::of(Provider::of("artifactory").unwrap(), WebhookType::RegistryPush, None, None, None);
    assert!(passes(&artifactory, &[("x-jfrog-event-auth", SHA256)], &[SECRET], BODY));
    assert!(passes(&artifactory, &[("x-jfrog-event-auth", SECRET)], &[SECRET], BODY));
    assert!(!passes(&artifactory, &[("x-jfrog-event-auth", SHA256)], &[SECRET], b"another"));
    let buildkite = timed();
    let good = format!("timestamp={NOW},signature={}", signed_at(&NOW.to_string(), BODY));
    let bad = format!("timestamp={NOW},signature={}", signed_at(&NOW.to_string(), b"another"));
    assert!(passes(&buildkite, &[("x-buildkite-signature", &good)], &[SECRET], BODY));
    assert!(passes(&buildkite, &[("x-buildkite-token", SECRET)], &[SECRET], BODY));
    let both = [("x-buildkite-signature", bad.as_str()), ("x-buildkite-token", SECRET)];
    assert!(!passes(&buildkite, &both, &[SECRET], BODY));
}

#[test]
fn gitlab_signs_by_standard_webhooks_or_else_sends_its_token() {
    let gitlab = Scheme::of(Provider::Auto, WebhookType::GitlabWebhook, None, None, None);
    assert!(passes(&gitlab, &[("x-gitlab-token", SECRET)], &[SECRET], BODY));
    let signature = SigningSecret::parse(SECRET).unwrap().sign_standard("msg_1", NOW, BODY);
    let now = NOW.to_string();
    let signed = |signature: &str| {
        let said = [("webhook-id", "msg_1"), ("webhook-timestamp", &now), ("webhook-signature", signature)];
        passes(&gitlab, &said, &[SECRET], BODY)
    };
    assert!(signed(&signature));
    assert!(!signed("v1,AAAA"));
}
