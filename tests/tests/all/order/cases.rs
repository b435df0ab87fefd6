//! Orders, repetitions and deletions as senders really send them.

use chrono::Duration;
use end_to_end::faults::Fault;
use end_to_end::order::System;
use end_to_end::{World, digest, docker_hub_push, harbor_push, id};
use sam_local::Data;
use sam_local::crash_point::CrashInjector;
use serde_json::{Value, json};

use super::bodies::{
    bitbucket_tag, commit, distribution, github_create, github_release, github_tag, gitlab_tag, workflow_run,
};
use super::held_clock;

/// A system with one component, whose triggers release everything of these kinds.
async fn system(kinds: &[&str]) -> (System, String) {
    let system = System::start(Data::Memory, &held_clock(), CrashInjector::default()).await;
    let body =
        json!({"name": "myapp", "repositories": ["myorg/myapp"], "sourceRepositories": ["myorg/myapp"]});
    let component = id(&system.world.create("/api/v1/components", &body).await);
    for kind in kinds {
        let name = "{component}-{tag}-{commit}";
        let trigger = json!({"name": kind, "on": kind, "releaseName": name});
        system.world.trigger(&component, &trigger).await;
    }
    (system, component)
}

async fn config(world: &World, webhook_type: &str, provider: &str) -> Value {
    let body = json!({"name": provider, "type": webhook_type, "provider": provider,
        "authentication": {"type": "none"}});
    world.config(&body).await
}

/// Posts a body a second after the one before; the answer.
async fn post(world: &World, config: &Value, delivery: &str, body: &str) -> Value {
    world.time.advance(Duration::seconds(1));
    let ids = ["x-github-delivery", "x-gitea-delivery", "idempotency-key", "x-request-uuid"];
    let headers: Vec<(&str, &str)> = ids.iter().map(|name| (*name, delivery)).collect();
    world.push(config, &headers, body).await.body
}

async fn version(world: &World, component: &str) -> Value {
    world.get(&format!("/api/v1/components/{component}/versions")).await["data"][0].take()
}

async fn releases(world: &World) -> Vec<Value> {
    world.all("/api/v1/releases").await
}

/// The action, the reason, and the numbers of versions and releases of an answer.
fn told(answer: &Value) -> (&str, &str, u64, u64) {
    let text = |member: &str| answer[member].as_str().unwrap_or_default();
    let number = |member: &str| answer[member].as_u64().unwrap_or_default();
    (text("action"), text("reason"), number("versionsAdded"), number("triggersActivated"))
}

#[tokio::test]
async fn an_older_docker_hub_push_that_comes_later_is_history() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let (world, hub) = (&system.world, config(&system.world, "registry-push", "dockerhub").await);
    let newer = post(world, &hub, "", &docker_hub_push("latest", 1_704_067_300)).await;
    assert_eq!(told(&newer), ("processed", "", 1, 1));
    let older = post(world, &hub, "", &docker_hub_push("latest", 1_704_067_200)).await;
    assert_eq!(told(&older), ("processed", "older", 0, 0), "{older}");
    let version = version(world, &component).await;
    assert_eq!(version["pushedAt"], "2024-01-01T00:01:40.000Z");
    assert_eq!(version["retags"], 0);
    let former = &version["history"][0];
    assert_eq!(
        (&former["pushedAt"], &former["reason"]),
        (&json!("2024-01-01T00:00:00.000Z"), &json!("older"))
    );
    assert_eq!(releases(world).await.len(), 1);
}

#[tokio::test]
async fn an_older_push_of_a_distribution_registry_that_comes_later_is_history() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let (world, registry) = (&system.world, config(&system.world, "registry-push", "distribution").await);
    let now = world.time.now();
    let push = |of: char, seconds: i64| {
        distribution("push", Some("latest"), &digest(of), now - Duration::seconds(seconds))
    };
    assert_eq!(told(&post(world, &registry, "", &push('a', 10)).await), ("processed", "", 1, 1));
    assert_eq!(told(&post(world, &registry, "", &push('b', 20)).await), ("processed", "older", 0, 0));
    assert_eq!(told(&post(world, &registry, "", &push('b', 20)).await), ("duplicate", "older", 0, 0));
    let version = version(world, &component).await;
    assert_eq!(
        (&version["digest"], &version["history"][0]["digest"]),
        (&json!(digest('a')), &json!(digest('b')))
    );
}

#[tokio::test]
async fn pushes_that_were_queued_do_not_displace_a_newer_one_that_was_not() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let (world, harbor) = (&system.world, config(&system.world, "registry-push", "harbor").await);
    let began = world.time.now().timestamp();
    let push = async |of: char, at: i64| {
        world.time.advance(Duration::seconds(1));
        let body = harbor_push("latest", &digest(of), began + at);
        world.push(&harbor, &[], &body).await.body
    };
    assert_eq!(push('1', -100).await["action"], "processed");
    system.fail(|operation| if operation == "TransactWriteItems" { Fault::ServerError } else { Fault::None });
    for (number, of) in ['2', '3', '4', '5', '6'].into_iter().enumerate() {
        let at = -90 + i64::try_from(number).unwrap();
        assert_eq!(push(of, at).await["action"], "queued");
    }
    system.fail(|_| Fault::None);
    assert_eq!(told(&push('7', -1).await), ("processed", "", 1, 1));
    let receipts = format!("/api/v1/webhook-configs/{}/receipts", id(&harbor));
    while !world.all(&receipts).await.iter().all(|receipt| receipt["action"] == "processed") {
        world.time.advance(Duration::seconds(10));
        world.stack.idle().await;
    }
    let version = version(world, &component).await;
    assert_eq!(version["digest"], digest('7'));
    let history: Vec<&Value> =
        version["history"].as_array().unwrap().iter().map(|entry| &entry["digest"]).collect();
    assert_eq!(history, ['6', '5', '4', '3', '2', '1'].map(digest).iter().collect::<Vec<_>>());
    let released: Vec<Value> =
        releases(world).await.iter().map(|release| release["components"][0]["digest"].clone()).collect();
    assert_eq!(released, [digest('7'), digest('1')], "nothing is released after the newest push");
}

#[tokio::test]
async fn a_git_tag_that_goes_back_to_a_commit_moves_and_releases_again() {
    type Body = fn(&str, char, char) -> String;
    let hosts: [(&str, &str, Body); 4] = [
        ("github-app", "auto", github_tag),
        ("gitlab-webhook", "auto", gitlab_tag),
        ("github-app", "gitea", github_tag),
        ("ci-pipeline", "bitbucket", bitbucket_tag),
    ];
    for (webhook_type, provider, body) in hosts {
        let (system, component) = system(&["git.tag"]).await;
        let (world, host) = (&system.world, config(&system.world, webhook_type, provider).await);
        for (number, (from, to)) in [('0', 'a'), ('a', 'b'), ('b', 'a')].into_iter().enumerate() {
            let answer = post(world, &host, &format!("d{number}"), &body("production", from, to)).await;
            assert_eq!(told(&answer), ("processed", "", 1, 1), "{webhook_type} {provider} to {to}: {answer}");
        }
        // A recorded request moves nothing back, under whatever delivery id.
        let replayed = post(world, &host, "forged", &body("production", 'a', 'b')).await;
        assert_eq!(replayed["action"], "duplicate", "{provider}: {replayed}");
        let version = version(world, &component).await;
        assert_eq!((&version["commit"], &version["retags"]), (&json!(commit('a')), &json!(2)), "{provider}");
        assert_eq!(releases(world).await.len(), 3, "{provider}");
    }
}

#[tokio::test]
async fn a_pre_release_that_becomes_final_is_released_by_the_trigger_for_final_ones() {
    let (system, component) = system(&[]).await;
    let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
    let filter = json!([{"field": "$.prerelease", "operator": "equals", "value": false}]);
    world.trigger(&component, &json!({"name": "final", "on": "release", "filters": filter})).await;
    let first = post(world, &host, "1", &github_release("published", true)).await;
    assert_eq!((first["action"].as_str(), first["triggersActivated"].as_u64()), (Some("processed"), Some(0)));
    let last = post(world, &host, "2", &github_release("released", false)).await;
    assert_eq!(told(&last), ("processed", "", 1, 1), "{last}");
    post(world, &host, "3", &github_release("published", true)).await;
    assert_eq!(releases(world).await.len(), 1);
}

#[tokio::test]
async fn a_tag_that_github_reports_by_create_and_push_has_one_release_with_its_commit() {
    for is_create_first in [true, false] {
        let (system, component) = system(&["git.tag"]).await;
        let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
        let mut bodies = [github_create("v1.0.0"), github_tag("v1.0.0", '0', 'a')];
        if !is_create_first {
            bodies.reverse();
        }
        for (number, body) in bodies.iter().enumerate() {
            let answer = post(world, &host, &format!("{number}"), body).await;
            assert!(["processed", "ignored"].contains(&answer["action"].as_str().unwrap()), "{answer}");
        }
        let released = releases(world).await;
        assert_eq!(released.len(), 1, "create first: {is_create_first}");
        assert_eq!(released[0]["name"], "myapp-v1.0.0-aaaaaaa");
        assert_eq!(released[0]["source"]["commit"], commit('a'));
        assert_eq!(version(world, &component).await["retags"], 0);
    }
}

#[tokio::test]
async fn pipelines_of_two_commits_that_end_in_one_second_are_two_releases() {
    let (system, _) = system(&["ci.finished"]).await;
    let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
    let ended = world.time.now();
    for (run, of) in [(1, 'a'), (2, 'b')] {
        let answer = post(world, &host, &format!("{run}"), &workflow_run("build", (run, 1), of, ended)).await;
        assert_eq!(answer["triggersActivated"], 1, "{answer}");
    }
    assert_eq!(releases(world).await.len(), 2);
}

#[tokio::test]
async fn the_workflows_of_a_commit_and_their_further_attempts_are_one_release() {
    let (system, _) = system(&["ci.finished"]).await;
    let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
    let ended = |seconds: i64| world.time.now() + Duration::seconds(seconds);
    let first = post(world, &host, "1", &workflow_run("build", (1, 1), 'a', ended(0))).await;
    let release = &first["results"][0]["releases"][0];
    assert!(release.is_string(), "{first}");
    for (delivery, name, run) in [("2", "lint", (2, 1)), ("3", "docs", (3, 1)), ("4", "build", (1, 3))] {
        let again = post(world, &host, delivery, &workflow_run(name, run, 'a', ended(5))).await;
        assert_eq!((told(&again).1, &again["releaseId"]), ("Release exists", release), "{name}: {again}");
    }
    assert_eq!(releases(world).await.len(), 1);
}

#[tokio::test]
async fn a_git_tag_that_is_deleted_and_pushed_again_at_its_commit_is_a_move() {
    let (system, component) = system(&["git.tag"]).await;
    let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
    let pushed = post(world, &host, "1", &github_tag("v1.0.0", '0', 'a')).await;
    assert_eq!(told(&pushed), ("processed", "", 1, 1));
    let deleted = post(world, &host, "2", &github_tag("v1.0.0", 'a', '0')).await;
    assert_eq!(deleted["action"], "processed", "{deleted}");
    assert!(version(world, &component).await["deletedAt"].is_string());
    let again = post(world, &host, "3", &github_tag("v1.0.0", '0', 'a')).await;
    assert_eq!(told(&again), ("processed", "", 1, 1), "{again}");
    let repeated = post(world, &host, "4", &github_tag("v1.0.0", '0', 'a')).await;
    assert_eq!(repeated["action"], "duplicate", "{repeated}");
    let version = version(world, &component).await;
    assert_eq!((version.get("deletedAt"), &version["retags"]), (None, &json!(1)));
    assert_eq!(releases(world).await.len(), 2);
    let deleted = post(world, &host, "5", &github_tag("v1.0.0", 'a', '0')).await;
    assert_eq!(deleted["action"], "processed", "the second deletion of the same commit: {deleted}");
    let repeated = post(world, &host, "6", &github_tag("v1.0.0", 'a', '0')).await;
    assert_eq!(repeated["action"], "duplicate", "{repeated}");
}

#[tokio::test]
async fn a_git_tag_may_go_to_and_fro_between_two_commits_as_often_as_it_likes() {
    let (system, component) = system(&["git.tag"]).await;
    let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
    let mut from = '0';
    for (number, to) in (1..).zip("abab".chars()) {
        let mut body: Value = serde_json::from_str(&github_tag("production", from, to)).unwrap();
        body["repository"]["pushed_at"] = json!(1_704_067_200_i64.saturating_add(number));
        let moved = post(world, &host, &number.to_string(), &body.to_string()).await;
        assert_eq!(told(&moved), ("processed", "", 1, 1), "{number}: {moved}");
        let replayed = post(world, &host, "forged", &body.to_string()).await;
        assert_eq!(replayed["action"], "duplicate", "{replayed}");
        from = to;
    }
    assert_eq!(version(world, &component).await["retags"], 3);
}

#[tokio::test]
async fn a_deletion_by_digest_marks_every_tag_of_it_and_the_next_push_is_a_move() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let (world, registry) = (&system.world, config(&system.world, "registry-push", "distribution").await);
    for (tag, of) in [("v1.0.0", 'a'), ("v1.0", 'a'), ("v2.0.0", 'b')] {
        post(world, &registry, "", &distribution("push", Some(tag), &digest(of), world.time.now())).await;
    }
    let deletion = distribution("delete", None, &digest('a'), world.time.now());
    assert_eq!(post(world, &registry, "", &deletion).await["action"], "processed");
    assert_eq!(post(world, &registry, "", &deletion).await["action"], "duplicate");
    let versions = async |query: &str| {
        let path = format!("/api/v1/components/{component}/versions{query}");
        world.get(&path).await["data"].as_array().cloned().unwrap()
    };
    for version in versions("").await {
        assert_eq!(version.get("deletedAt").is_some(), version["digest"] == digest('a'), "{version}");
    }
    let stable = versions("?channel=stable").await;
    let tags: Vec<&Value> = stable.iter().map(|version| &version["tag"]).collect();
    assert_eq!(tags, ["v2.0.0"]);
    let push = distribution("push", Some("v1.0.0"), &digest('a'), world.time.now());
    assert_eq!(told(&post(world, &registry, "", &push).await), ("processed", "", 1, 1));
    let back = versions("").await.into_iter().find(|version| version["tag"] == "v1.0.0").unwrap();
    assert_eq!((back.get("deletedAt"), &back["retags"]), (None, &json!(1)));
}

#[tokio::test]
async fn a_deletion_older_than_the_current_push_changes_nothing() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let (world, registry) = (&system.world, config(&system.world, "registry-push", "distribution").await);
    let at = |seconds: i64| world.time.now() - Duration::seconds(seconds);
    let (a, latest) = (digest('a'), Some("latest"));
    let (pushed, again) = (at(30), at(10));
    post(world, &registry, "", &distribution("push", latest, &a, pushed)).await;
    post(world, &registry, "", &distribution("push", latest, &a, again)).await;
    let older = post(world, &registry, "", &distribution("delete", latest, &a, at(20))).await;
    assert_eq!(told(&older), ("ignored", "older", 0, 0), "{older}");
    assert_eq!(version(world, &component).await.get("deletedAt"), None);
}

#[tokio::test]
async fn the_replay_of_an_old_receipt_moves_nothing_back() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let (world, registry) = (&system.world, config(&system.world, "registry-push", "artifactory").await);
    let push = async |of: char| {
        world.time.advance(Duration::minutes(6));
        let body = json!({"domain": "docker", "event_type": "pushed", "jpd_origin": "https://example.jfrog.io",
            "data": {"repo_key": "myorg", "image_name": "myapp", "tag": "latest", "name": "manifest.json",
                "sha256": of.to_string().repeat(64)}});
        world.push(&registry, &[], &body.to_string()).await.body
    };
    let first = push('a').await;
    push('b').await;
    world.time.advance(Duration::minutes(6));
    let receipt = first["receiptId"].as_str().unwrap();
    let path = format!("/api/v1/webhook-configs/{}/receipts/{receipt}/replay", id(&registry));
    let replayed = world.post(&path, &Value::Null).await;
    assert_eq!(replayed.data()["action"], "duplicate", "{}", replayed.body);
    assert_eq!(version(world, &component).await["digest"], digest('b'));
    assert_eq!(releases(world).await.len(), 2);
}

#[tokio::test]
async fn a_push_older_than_the_config_allows_is_ignored_unless_it_is_replayed() {
    let (system, component) = system(&["artifact.pushed"]).await;
    let world = &system.world;
    let body = json!({"name": "h", "type": "registry-push", "provider": "harbor", "maxAgeSeconds": 60,
        "authentication": {"type": "none"}});
    let harbor = world.config(&body).await;
    let at = world.time.now().timestamp() - 100;
    let old = post(world, &harbor, "", &harbor_push("latest", &digest('a'), at)).await;
    assert_eq!(told(&old), ("ignored", "Too old", 0, 0), "{old}");
    let receipt = old["receiptId"].as_str().unwrap();
    let path = format!("/api/v1/webhook-configs/{}/receipts/{receipt}/replay", id(&harbor));
    let replayed = world.post(&path, &Value::Null).await;
    assert_eq!(told(replayed.data()), ("processed", "", 1, 1), "{}", replayed.body);
    assert_eq!(version(world, &component).await["digest"], digest('a'));
    // A push in time that waits in the queue for longer than the age is in time still.
    system.fail(|operation| if operation == "TransactWriteItems" { Fault::ServerError } else { Fault::None });
    let at = world.time.now().timestamp();
    let queued = post(world, &harbor, "", &harbor_push("latest", &digest('b'), at)).await;
    assert_eq!(queued["action"], "queued", "{queued}");
    world.time.advance(Duration::minutes(5));
    world.stack.idle().await;
    system.fail(|_| Fault::None);
    while version(world, &component).await["digest"] != digest('b') {
        world.time.advance(Duration::minutes(5));
        world.stack.idle().await;
    }
}

#[tokio::test]
async fn a_delivery_id_is_one_delivery_whatever_its_body() {
    let (system, component) = system(&["git.tag"]).await;
    let (world, host) = (&system.world, config(&system.world, "github-app", "auto").await);
    post(world, &host, "guid", &github_tag("v1.0.0", '0', 'a')).await;
    let other = post(world, &host, "guid", &github_tag("v1.0.0", 'a', 'b')).await;
    assert_eq!(other["action"], "duplicate", "{other}");
    assert_eq!(version(world, &component).await["commit"], commit('a'));
}
