//! Tests of this crate's architecture: which layer and context may use which, and that there are no import
//! circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, each with the layers that it may use besides itself.
const LAYERS: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("random", &[]),
    ("clock", &[]),
    ("environment", &["clock"]),
    ("metrics", &["environment"]),
    ("aws", &["domain", "environment"]),
    ("egress", &["domain", "environment"]),
    ("queue", &["aws", "domain", "environment"]),
    ("store", &["aws", "domain", "environment"]),
    ("secrets", &["aws", "domain", "environment", "random", "store"]),
    (
        "app",
        &[
            "aws",
            "clock",
            "domain",
            "egress",
            "environment",
            "metrics",
            "queue",
            "random",
            "secrets",
            "store",
        ],
    ),
    ("web", &["app", "domain", "egress", "environment", "random", "store"]),
];

/// The contexts of `domain` and of `app`, each with the contexts that it may use besides itself.
const CONTEXTS: [(&str, &[&str]); 5] = [
    ("shared", &[]),
    ("access", &["shared"]),
    ("inbound", &["shared"]),
    ("outbound", &["shared"]),
    ("releases", &["shared", "inbound", "outbound"]),
];

/// A module's path within the crate.
type Module = Vec<String>;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module(file: &Path) -> Module {
    let relative = file.strip_prefix(sources()).unwrap().with_extension("");
    let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// A file's text without its comments and its tests.
fn code(text: &str) -> String {
    let code = text.split("\nmod tests {").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The modules that exist in tests only.
fn tests_of(text: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = BTreeSet::new();
    for (number, line) in lines.iter().enumerate() {
        if *line != "#[cfg(test)]" {
            continue;
        }
        let declared = lines.iter().skip(number).skip(1).take(2).find_map(|line| line.strip_suffix(';'));
        found.extend(declared.and_then(|line| line.split_whitespace().last()).map(str::to_owned));
    }
    found
}

/// The paths in `code` that begin with `root`. A path with braces is several.
fn paths(code: &str, root: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices(root) {
        let before = code[..start].chars().next_back();
        if before.is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':') {
            tree(&code[start..], &[], &mut found);
        }
    }
    found
}

/// Reads one path, or a tree of paths, and returns the rest of the text.
fn tree<'t>(text: &'t str, above: &[String], found: &mut Vec<Vec<String>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = tree(rest, above, found).trim_start();
            let Some(next) = rest.strip_prefix(',') else { break };
            rest = next.trim_start();
            if rest.starts_with('}') {
                break;
            }
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path: Vec<String> = above.iter().cloned().chain([name.to_owned()]).collect();
    match rest.strip_prefix("::") {
        Some(rest) if rest.starts_with(|next: char| next.is_alphabetic() || next == '_' || next == '{') => {
            tree(rest, &path, found)
        }
        _ => {
            found.push(path);
            rest
        }
    }
}

/// Every module with the modules that it uses.
fn uses() -> BTreeMap<Module, BTreeSet<Module>> {
    let mut all = Vec::new();
    files(&sources(), &mut all);
    let texts: BTreeMap<Module, String> =
        all.iter().map(|file| (module(file), fs::read_to_string(file).unwrap())).collect();
    let in_tests: BTreeSet<Module> = texts
        .iter()
        .flat_map(|(module, text)| {
            tests_of(text).into_iter().map(|name| [module.as_slice(), &[name]].concat())
        })
        .collect();
    let is_test = |module: &Module| {
        in_tests.contains(module) || module.last().is_some_and(|name| name.ends_with("_tests"))
    };
    let modules: BTreeSet<&Module> = texts.keys().collect();
    texts
        .iter()
        .filter(|(module, _)| !is_test(module))
        .map(|(module, text)| {
            let code = code(text);
            let absolute = paths(&code, "crate").into_iter().map(|path| path[1..].to_vec());
            let relative = paths(&code, "super").into_iter().map(|path| {
                let up = path.iter().take_while(|name| *name == "super").count();
                [&module[..module.len().saturating_sub(up)], &path[up..]].concat()
            });
            let used = absolute.chain(relative).filter_map(|path| {
                let known = (0..=path.len()).rev().map(|end| path[..end].to_vec());
                known.into_iter().find(|prefix| modules.contains(prefix))
            });
            (module.clone(), used.filter(|used| used != module && !used.is_empty()).collect())
        })
        .collect()
}

fn allows(list: &[(&str, &[&str])], from: &str, to: &str) -> bool {
    from == to || list.iter().any(|(name, allowed)| *name == from && allowed.contains(&to))
}

#[test]
fn layers_use_only_those_below_them() {
    let is_layer = |name: &String| LAYERS.iter().any(|(layer, _)| layer == name);
    for (from, all) in uses() {
        let Some(layer) = from.first().filter(|name| is_layer(name)) else { continue };
        for to in all {
            let fine = !is_layer(&to[0]) || allows(&LAYERS, layer, &to[0]);
            assert!(fine, "{} uses {}", from.join("::"), to.join("::"));
        }
    }
}

#[test]
fn contexts_use_only_those_they_may() {
    for (from, all) in uses() {
        for to in all {
            let is_context = |path: &Module| path.len() > 1 && matches!(path[0].as_str(), "domain" | "app");
            if is_context(&from) && is_context(&to) {
                assert!(allows(&CONTEXTS, &from[1], &to[1]), "{} uses {}", from.join("::"), to.join("::"));
            }
        }
    }
}

#[test]
fn there_are_no_import_circles() {
    let mut left = uses();
    // A module that uses none of the modules that are left is in no circle.
    loop {
        let free: BTreeSet<Module> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|used| !left.contains_key(used)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|module, _| !free.contains(module));
    }
    // The rest is in a circle, or uses a module that is.
    let circle: Vec<String> = left.keys().map(|module| module.join("::")).collect();
    assert!(circle.is_empty(), "in or above a circle: {circle:#?}");
}

#[test]
fn paths_are_read_out_of_braces() {
    let code = "use crate::a::{self, b::{C, d::E}, F};\nlet x = crate::g::h(1);";
    let found: Vec<String> = paths(code, "crate").into_iter().map(|path| path.join("::")).collect();
    let expected = ["crate::a::self", "crate::a::b::C", "crate::a::b::d::E", "crate::a::F", "crate::g::h"];
    assert_eq!(found, expected);
}
