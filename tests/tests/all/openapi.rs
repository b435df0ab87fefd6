//! The OpenAPI document and its HTML page, which need no key.

use std::collections::BTreeSet;

use end_to_end::{World, id};
use http::{Method, StatusCode};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_every_route_and_is_public() {
    let world = World::start().await;
    let answer = world.anonymous().get("/openapi.json").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.body, stella_api::openapi());
    let mut ids = BTreeSet::new();
    for (method, path) in stella_api::routes() {
        let operation = &answer.body["paths"][format!("/api/v1{path}")][method.as_str().to_ascii_lowercase()];
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_html_page_may_load_nothing_from_other_hosts() {
    let world = World::start().await;
    let answer = world.anonymous().send(Method::GET, "/docs", &[], Vec::new().into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

#[test]
fn the_portals_enumerations_are_those_of_the_document() {
    let document = stella_api::openapi();
    let lists = [
        ("STATUSES", "The states of a delivery.", "/DeliveryStatus/enum"),
        ("OPERATORS", "The operators of filters.", "/Filter/properties/operator/enum"),
    ];
    let lists = lists.map(|(name, about, place)| {
        let names = document.pointer(&format!("/components/schemas{place}")).unwrap().as_array().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        format!("\n/** {about} */\nexport const {name} = [{}];\n", names.join(", "))
    });
    let head = "// The API's enumerations, as its OpenAPI document has them. Generated: a test in \
                tests/tests/all/openapi.rs compares them.\n";
    let text = [head, &lists.concat()].concat();
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/portal/pages/schema.js");
    assert_eq!(std::fs::read_to_string(place).unwrap(), text, "write the latter to {place}");
}

#[test]
fn every_example_fits_its_schema() {
    let document = stella_api::openapi();
    let mut held = 0;
    let places = ["paths", "webhooks"].into_iter().flat_map(|places| document[places].as_object().unwrap());
    for (path, methods) in places {
        for operation in methods.as_object().unwrap().values() {
            let bodies = [&operation["requestBody"]].into_iter();
            let answers = operation["responses"].as_object().into_iter().flatten().map(|(_, answer)| answer);
            for body in bodies.chain(answers) {
                for media in body["content"].as_object().into_iter().flat_map(serde_json::Map::values) {
                    let Some(example) = media.get("example") else { continue };
                    let mut schema = media["schema"].clone();
                    schema["components"] = document["components"].clone();
                    let options = jsonschema::draft202012::options().should_validate_formats(true);
                    let validator = options.build(&schema).unwrap();
                    let mistakes: Vec<String> = validator
                        .iter_errors(example)
                        .map(|error| format!("{}: {error}", error.instance_path()))
                        .collect();
                    assert!(mistakes.is_empty(), "{path}: {mistakes:?} in {example}");
                    held += 1;
                }
            }
        }
    }
    assert!(held >= 80, "{held} examples");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_body_is_accepted() {
    let world = World::start().await;
    let component = world.component(&["myorg/other"]).await;
    let trigger = world.trigger(&component, &json!({"name": "t", "on": "artifact.pushed"})).await;
    let config = id(&world.docker_hub().await);
    let subscription = json!({"name": "s", "url": "http://127.0.0.1:9/", "events": ["*"], "authType": "signature",
        "retryPolicy": {"maxRetries": 0}});
    let subscription = world.subscription(&subscription).await;
    let tenant = subscription["tenantId"].as_str().unwrap().to_owned();
    let subscription = id(&subscription);
    let document = stella_api::openapi();
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(body) = operation.pointer("/requestBody/content/application~1json/example") else {
                continue;
            };
            // No delivery was fetched, no link created, and no message is dead. Senders have tests of their
            // own.
            let needs_more = ["{delivery}", "/portal-session", "/dead-letters/", "/webhooks/"];
            if needs_more.iter().any(|part| path.contains(part)) {
                continue;
            }
            let id = match path.split('/').nth(3) {
                Some("components") => &component,
                Some("webhook-configs") => &config,
                Some("tenants") => &tenant,
                _ => &subscription,
            };
            let caller = if path.contains("/tenants") { &world.operator } else { &world.admin };
            let method = method.to_uppercase().parse().unwrap();
            let mut body = body.clone();
            if let Some(url) = body.get_mut("url") {
                // The host must resolve, which needs a network.
                *url = json!("http://127.0.0.1:9/");
            }
            let path = path.replace("{id}", id).replace("{trigger}", &trigger);
            let answer = caller.json(method, &path, &body).await.unwrap();
            assert!(answer.status.is_success(), "{path}: {}", answer.body);
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried} examples");
}
