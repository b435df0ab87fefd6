//! Tags and releases that versions before 0.2 stored.

use chrono::{DateTime, Duration, Utc};
use end_to_end::runtime::record_environments;
use end_to_end::{World, digest, id};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stella::aws::Aws;
use stella::domain::shared::ids::ReleaseId;
use stella::domain::shared::time::timestamp;
use stella::store::{Store, keys};
use uuid::Uuid;

use super::bodies::{commit, workflow_run};
use super::held_clock;

/// A system, and direct access to its tables.
async fn world_with_tables() -> (World, Store, Uuid) {
    let (functions, environments) = record_environments();
    let world = World::with(functions, held_clock()).await;
    let environment = world.unlimited(&environments.lock().unwrap()["InboundFunction"]);
    let store = Store::new(&environment, &Aws::new(&environment).unwrap()).unwrap();
    let tenants = world.operator.get("/api/v1/tenants").await.unwrap();
    let tenant = id(&tenants.data()[0]).parse().unwrap();
    (world, store, tenant)
}

/// A content as it was stored.
fn content(of: char, pushed_at: Option<DateTime<Utc>>, since: DateTime<Utc>) -> Value {
    let mut content = json!({"digest": digest(of), "digestValid": true, "channel": "latest", "since": since,
        "source": {"configId": Uuid::nil(), "provider": "harbor", "repository": "myorg/myapp"}});
    if let Some(time) = pushed_at {
        content["pushedAt"] = json!(time);
    }
    content
}

/// Stores a tag as versions before 0.2 did.
async fn store_tag(
    store: &Store,
    tenant: Uuid,
    component: &str,
    tag: &str,
    content: &Value,
    history: &[Value],
) {
    let component: Uuid = component.parse().unwrap();
    let mut state = content.clone();
    let more = json!({"tag": tag, "kind": "artifact.pushed", "createdAt": content["since"], "retags": history.len(),
        "historyDropped": 0, "revision": history.len() + 1});
    stella::domain::shared::merge_patch::merge(&mut state, &more);
    let place = format!("artifact.pushed:{tag}");
    let since = content["since"].as_str().unwrap().parse().unwrap();
    let listed = keys::version(tenant.into(), component.into(), since, &place);
    store.core.put(&listed, &state).await.unwrap();
    if !history.is_empty() {
        state["history"] = json!(history);
    }
    store.core.put(&keys::tag(tenant.into(), component.into(), &place), &state).await.unwrap();
}

#[tokio::test]
async fn a_stored_tag_has_its_place_by_the_time_of_its_push_or_else_by_that_of_its_receipt() {
    let (world, store, tenant) = world_with_tables().await;
    let component = world.component(&["myorg/myapp"]).await;
    world.trigger(&component, &json!({"name": "all", "on": "artifact.pushed"})).await;
    let body = json!({"name": "own", "type": "generic", "provider": "generic", "timeIsPush": true});
    let config = world.config(&body).await;
    let now = world.time.now();
    let ago = |minutes: i64| now - Duration::minutes(minutes);
    let former = content('c', Some(ago(120)), ago(119));
    store_tag(&store, tenant, &component, "timed", &content('a', Some(ago(60)), ago(30)), &[former]).await;
    store_tag(&store, tenant, &component, "timeless", &content('a', None, ago(30)), &[]).await;
    let push = async |tag: &str, of: char, minutes: i64| {
        let body = json!({"kind": "artifact.pushed", "repository": "myorg/myapp", "tag": tag, "digest": digest(of),
            "pushedAt": timestamp(ago(minutes))});
        let answer = world.push(&config, &[], &body.to_string()).await.body;
        (answer["versionsAdded"].clone(), answer["reason"].clone())
    };
    let older = || (json!(0), json!("older"));
    assert_eq!(push("timed", 'b', 61).await, older());
    assert_eq!(push("timeless", 'b', 31).await, older());
    assert_eq!(push("timed", 'd', 59).await, (json!(1), Value::Null));
    assert_eq!(push("timeless", 'd', 29).await, (json!(1), Value::Null));
    let versions = world.all(&format!("/api/v1/components/{component}/versions")).await;
    assert_eq!(versions.len(), 2, "each tag is listed once");
    for version in versions {
        let history: Vec<&Value> =
            version["history"].as_array().unwrap().iter().map(|entry| &entry["digest"]).collect();
        let expected = if version["tag"] == "timed" { vec!['a', 'b', 'c'] } else { vec!['a', 'b'] };
        let expected: Vec<String> = expected.into_iter().map(digest).collect();
        assert_eq!(version["digest"], digest('d'));
        assert_eq!(history, expected.iter().collect::<Vec<_>>(), "{}", version["tag"]);
    }
    assert_eq!(world.all("/api/v1/releases").await.len(), 2);
}

/// The identity that versions before 0.2 gave the release of a pipeline: its trigger and the time of its end.
fn former_identity(trigger: &str, ended: DateTime<Utc>) -> String {
    let mut hash = Sha256::new();
    for part in [trigger, "", "pushedAt", &ended.to_rfc3339(), "0"] {
        hash.update(u64::try_from(part.len()).unwrap().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

#[tokio::test]
async fn a_pipeline_of_a_commit_that_was_released_before_the_upgrade_releases_nothing() {
    let (world, store, tenant) = world_with_tables().await;
    let component = json!({"name": "myapp", "sourceRepositories": ["myorg/myapp"]});
    let component = id(&world.create("/api/v1/components", &component).await);
    let trigger = world.trigger(&component, &json!({"name": "built", "on": "ci.finished"})).await;
    let body =
        json!({"name": "gh", "type": "github-app", "provider": "auto", "authentication": {"type": "none"}});
    let config = world.config(&body).await;
    let ended = world.time.now() - Duration::hours(1);
    let release = ReleaseId::mint(ended, [0; 10]).uuid();
    let stored = json!({"id": release, "tenantId": tenant, "name": "myapp-aaaaaaa", "status": "created",
        "components": [{"id": component, "name": "myapp", "tag": null, "digest": null}],
        "trigger": {"id": trigger, "name": "built"}, "createdAt": ended,
        "source": {"kind": "ci.finished", "configId": id(&config), "provider": "auto", "registry": "github.com",
            "repository": "myorg/myapp", "digestValid": false, "commit": commit('a'), "branch": "main",
            "pushedAt": ended}});
    store.core.put(&keys::release(tenant.into(), release.into()), &stored).await.unwrap();
    let component_id: Uuid = component.parse().unwrap();
    let identity = former_identity(&trigger, ended);
    let guard = keys::release_guard(tenant.into(), component_id.into(), &identity);
    store.core.put(&guard, &json!({"releaseId": release})).await.unwrap();
    for key in [
        keys::component(tenant.into(), component_id.into()),
        keys::repository_component(tenant.into(), "myorg/myapp", component_id.into()),
    ] {
        let mut former: Value = store.core.get(&key).await.unwrap().expect("a component");
        assert_eq!(former.as_object_mut().unwrap().remove("hasGuards"), Some(json!(true)));
        store.core.put(&key, &former).await.unwrap();
    }
    let run = async |of: char, number: u64| {
        let body = workflow_run("build", (number, 2), of, world.time.now());
        let delivery = number.to_string();
        world.push(&config, &[("x-github-delivery", &delivery)], &body).await.body
    };
    for number in [1, 2] {
        let again = run('a', number).await;
        assert_eq!(
            (&again["reason"], &again["releaseId"]),
            (&json!("Release exists"), &json!(release)),
            "{again}"
        );
    }
    assert_eq!(run('b', 3).await["triggersActivated"], 1);
    assert_eq!(world.all("/api/v1/releases").await.len(), 2);
}
