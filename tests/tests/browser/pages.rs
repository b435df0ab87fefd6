//! Every page: no console errors, accessible, fits a phone, small; and the screenshots.

use std::fs;
use std::path::Path;
use std::time::Duration;

use end_to_end::{World, profile_folder};
use serde_json::json;

use crate::chromium::Chromium;
use crate::fixture::{Fixture, after_a_day, at, signed_in};

/// The violations that axe finds on the page.
async fn violations(chromium: &Chromium, axe: &str) -> Vec<String> {
    chromium.run(axe).await;
    let script = "const done = arguments[arguments.length - 1]; \
        axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations.flatMap((rule) => \
        rule.nodes.map((node) => rule.id + ': ' + node.html + ' ' + node.failureSummary))), (error) => done([String(error)]));";
    let found = chromium.run_until_done(script).await;
    found.as_array().expect("a list").iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
}

fn axe() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/axe.min.js");
    fs::read_to_string(path).expect("axe: `make browser` installs it")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn no_page_has_console_errors_or_axe_violations_in_light_and_dark_wide_and_narrow() {
    let (world, axe) = (World::start().await, axe());
    let fixture = Fixture::create(&world).await;
    let mut errors = Vec::new();
    for (width, height) in [(1280, 900), (390, 844)] {
        let chromium = signed_in(&world, width, height).await;
        for scheme in ["light", "dark"] {
            chromium.prefers(scheme).await;
            for (name, page) in fixture.pages() {
                chromium.visit(&at(&world, &page)).await;
                let place = format!("{name}, {scheme}, {width} wide");
                errors.extend(
                    chromium.console_errors().await.into_iter().map(|text| format!("{place}: {text}")),
                );
                errors.extend(
                    violations(&chromium, &axe).await.into_iter().map(|text| format!("{place}: {text}")),
                );
                let too_wide = chromium.run("return document.documentElement.scrollWidth - innerWidth").await;
                if too_wide.as_i64() > Some(0) {
                    errors.push(format!("{place}: {too_wide} pixels too wide"));
                }
            }
        }
        chromium.close().await;
    }
    assert!(errors.is_empty(), "{} errors:\n{}", errors.len(), errors.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn a_guide_of_a_sender_links_to_the_guide_of_another() {
    let world = World::start().await;
    let chromium = signed_in(&world, 1280, 900).await;
    chromium.visit(&at(&world, "inbound/senders/gar")).await;
    chromium.sees("POST /api/v1/webhook-configs").await;
    chromium.click("Docker Hub").await;
    chromium.loaded().await;
    let heading = chromium.run("return document.querySelector('main h1').textContent").await;
    assert_eq!(heading, "Docker Hub");
    assert_eq!(chromium.console_errors().await, Vec::<String>::new());
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: make browser"]
async fn the_first_page_is_small_uses_no_other_host_and_exposes_no_key_to_scripts() {
    let world = World::start().await;
    let chromium = signed_in(&world, 1280, 900).await;
    let entries =
        "return performance.getEntriesByType('resource').map((entry) => [entry.name, entry.encodedBodySize])";
    let entries = chromium.run(entries).await;
    let entries = entries.as_array().expect("a list");
    let home = world.stack.url();
    assert!(entries.iter().all(|entry| entry[0].as_str().unwrap().starts_with(&home)), "{entries:#?}");
    let bytes: u64 = entries.iter().filter_map(|entry| entry[1].as_u64()).sum();
    assert!(entries.len() > 5 && bytes < 100 * 1024, "{bytes} bytes: {entries:#?}");
    println!("the first page: {} requests, {bytes} bytes", entries.len());

    assert_eq!(chromium.run("return document.cookie").await, "");
    assert_eq!(chromium.run("return [localStorage.length, sessionStorage.length]").await, json!([0, 0]));
    assert_eq!(chromium.run("return location.href.includes('link=')").await, false);
    let cookies = chromium.cookies().await;
    let [cookie] = cookies.as_slice() else { panic!("one cookie: {cookies:#?}") };
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")), "{cookie}");

    let status = |request: &str| {
        format!(
            "const done = arguments[0]; fetch('/api/v1/api-keys', {request}).then((answer) => done(answer.status));"
        )
    };
    let forged = "{method: 'POST', headers: {'content-type': 'application/json'}, body: '{\"name\":\"x\",\"role\":\"admin\"}'}";
    assert_eq!(chromium.run_until_done(&status("{}")).await, 200);
    assert_eq!(chromium.run_until_done(&status(forged)).await, 403);
    let inline = "const script = document.createElement('script'); \
        try { script.text = 'window.hacked = 1'; document.body.append(script); } catch (error) { return error.name; } \
        return window.hacked ?? 'blocked';";
    assert_ne!(chromium.run(inline).await, json!(1));
    chromium.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures: make screenshots"]
async fn screenshots() {
    let world = after_a_day().await;
    let fixture = Fixture::create(&world).await;
    let folder = profile_folder().join("screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    for (kind, width, height) in [("wide", 1280, 900), ("narrow", 390, 844)] {
        let chromium = signed_in(&world, width, height).await;
        for scheme in ["light", "dark"] {
            chromium.prefers(scheme).await;
            for (name, page) in fixture.pages() {
                chromium.visit(&at(&world, &page)).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
                let picture = chromium.screenshot().await;
                fs::write(folder.join(format!("{name}-{kind}-{scheme}.png")), picture).expect("written");
            }
        }
        chromium.close().await;
    }
}
