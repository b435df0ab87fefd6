//! Two components of one repository: each takes the tags with its prefixes, and reads their versions without.

use end_to_end::{World, docker_hub_push, id};
use hmac::{Hmac, Mac as _};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "a long random secret";

/// GitHub's push of a tag.
fn tag_push(tag: &str) -> String {
    json!({"ref": format!("refs/tags/{tag}"), "before": "0".repeat(40), "after": "6f2d1c0b".repeat(5),
        "deleted": false, "head_commit": {"id": "6f2d1c0b".repeat(5), "timestamp": "2024-01-01T01:00:00+01:00"},
        "repository": {"id": 1, "name": "myapp", "full_name": "myorg/myapp",
            "html_url": "https://github.com/myorg/myapp"},
        "pusher": {"name": "octocat"}, "sender": {"login": "octocat", "id": 1}})
    .to_string()
}

async fn github(world: &World) -> Value {
    let body = json!({"name": "github", "type": "github-app", "provider": "auto", "secret": SECRET});
    world.config(&body).await
}

async fn push_tag(world: &World, config: &Value, tag: &str) -> Value {
    let body = tag_push(tag);
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let answer = world.push(config, &[("x-hub-signature-256", &signature)], &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

/// A component of the repository `myorg/myapp`, with a trigger for stable git tags and one for stable images.
async fn component(world: &World, name: &str, prefixes: &[&str], range: &str) -> String {
    let body = json!({"name": name, "repositories": ["myorg/myapp"], "sourceRepositories": ["myorg/myapp"],
        "tagPrefixes": prefixes});
    let made = world.create("/api/v1/components", &body).await;
    assert_eq!(made["tagPrefixes"], json!(prefixes));
    for on in ["git.tag", "artifact.pushed"] {
        let trigger = json!({"name": on, "on": on, "versionRange": range, "channels": ["stable"]});
        world.trigger(&id(&made), &trigger).await;
    }
    id(&made)
}

/// The tags of a component, each with its channel, in alphabetical order.
async fn tags(world: &World, component: &str) -> Vec<(String, String)> {
    let versions = world.get(&format!("/api/v1/components/{component}/versions")).await;
    let text = |version: &Value, member: &str| version[member].as_str().unwrap().to_owned();
    let rows = versions["data"].as_array().unwrap().iter();
    let mut tags: Vec<_> = rows.map(|version| (text(version, "tag"), text(version, "channel"))).collect();
    tags.sort();
    tags
}

#[tokio::test]
async fn each_component_of_a_repository_takes_and_releases_its_own_tags() {
    let world = World::start().await;
    let api = component(&world, "api", &["api/", "api-"], "^1").await;
    let web = component(&world, "web", &["web@"], "^2").await;
    let (github, hub) = (github(&world).await, world.docker_hub().await);

    let answer = push_tag(&world, &github, "api/v1.2.3").await;
    assert_eq!(answer["componentId"], api.as_str());
    assert_eq!((&answer["versionsAdded"], &answer["triggersActivated"]), (&json!(1), &json!(1)));
    let results = answer["results"].as_array().unwrap();
    let ignored = results.iter().find(|result| result["action"] == "ignored").unwrap();
    assert_eq!(ignored["reason"], "The component takes only tags that begin with web@");

    let answer = push_tag(&world, &github, "web@2.0.0").await;
    assert_eq!((&answer["componentId"], &answer["triggersActivated"]), (&json!(web), &json!(1)));
    let answer = push_tag(&world, &github, "web@2.1.0-rc.1").await;
    assert_eq!((&answer["versionsAdded"], &answer["triggersActivated"]), (&json!(1), &json!(0)));
    let answer = push_tag(&world, &github, "docs-1.0.0").await;
    assert_eq!(answer["action"], "ignored");
    assert!(answer["reason"].as_str().unwrap().starts_with("The component takes only tags that begin with "));
    for (tag, expected) in [("api-1.0", 1), ("api-latest", 0)] {
        let answer = world.push(&hub, &[], &docker_hub_push(tag, 1_704_067_200)).await.body;
        assert_eq!((&answer["versionsAdded"], &answer["triggersActivated"]), (&json!(1), &json!(expected)));
    }

    let with_channels = |tags: &[(&str, &str)]| -> Vec<(String, String)> {
        tags.iter().map(|(tag, channel)| ((*tag).to_owned(), (*channel).to_owned())).collect()
    };
    let expected = [("api-1.0", "stable"), ("api-latest", "edge"), ("api/v1.2.3", "stable")];
    assert_eq!(tags(&world, &api).await, with_channels(&expected));
    let expected = [("web@2.0.0", "stable"), ("web@2.1.0-rc.1", "rc")];
    assert_eq!(tags(&world, &web).await, with_channels(&expected));

    let releases = world.get("/api/v1/releases").await;
    let mut named: Vec<(&str, &str)> = releases["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            let tag = release["components"][0]["tag"].as_str().unwrap();
            (release["name"].as_str().unwrap(), tag)
        })
        .collect();
    named.sort_unstable();
    let expected = [("api-1.0", "api-1.0"), ("api-v1.2.3", "api/v1.2.3"), ("web-2.0.0", "web@2.0.0")];
    assert_eq!(named, expected);
}

#[tokio::test]
async fn a_preview_names_the_components_that_take_the_tag_or_the_prefixes() {
    let world = World::start().await;
    let api = component(&world, "api", &["api/"], "^1").await;
    component(&world, "web", &["web@"], "^2").await;
    let path = format!("/api/v1/webhook-configs/{}/preview", id(&github(&world).await));
    let preview = async |tag: &str| {
        let body: Value = serde_json::from_str(&tag_push(tag)).unwrap();
        world.post(&path, &json!({ "body": body })).await.data()["decisions"][0].clone()
    };
    let taken = preview("api/v1.2.3").await;
    assert_eq!((&taken["componentIds"], &taken["reason"]), (&json!([api]), &Value::Null));
    assert_eq!(taken["triggers"][0]["releaseName"], "api-v1.2.3");
    let outside = preview("api/v2.0.0").await;
    assert_eq!((&outside["versionAdded"], &outside["triggers"]), (&json!(true), &json!([])));
    assert!(
        outside["reason"].as_str().unwrap().starts_with("No trigger of the component wants this version")
    );
    let other = preview("docs-1.0.0").await;
    assert_eq!((&other["componentIds"], &other["versionAdded"]), (&json!([]), &json!(false)));
    assert!(other["reason"].as_str().unwrap().contains("tags that begin with"));
}

#[tokio::test]
async fn prefixes_are_checked_and_a_patch_sets_and_clears_them() {
    let world = World::start().await;
    let mistakes = json!({"name": "a", "tagPrefixes": ["api/", "-a", "api/"]});
    let refused = world.post("/api/v1/components", &mistakes).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<&Value> =
        refused.body["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["tagPrefixes[1]", "tagPrefixes[2]"]);

    let body = json!({"name": "api", "sourceRepositories": ["myorg/myapp"]});
    let made = world.create("/api/v1/components", &body).await;
    assert_eq!(made["tagPrefixes"], json!([]));
    let github = github(&world).await;
    let path = format!("/api/v1/components/{}", id(&made));
    let patch = async |prefixes: Value| {
        let body = json!({ "tagPrefixes": prefixes });
        world.admin.json(Method::PATCH, &path, &body).await.unwrap().data().clone()
    };
    assert_eq!(patch(json!(["api/"])).await["tagPrefixes"], json!(["api/"]));
    assert_eq!(push_tag(&world, &github, "v1.0.0").await["action"], "ignored");
    assert_eq!(patch(Value::Null).await["tagPrefixes"], json!([]));
    assert_eq!(push_tag(&world, &github, "v1.0.0").await["action"], "processed");
}
