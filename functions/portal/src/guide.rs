//! A page of Markdown as a tree of elements, from which the portal's `h` creates them.
//!
//! Not as HTML: the portal's Content-Security-Policy lets no script create elements from a string. An element is
//! `[tag, attributes, child…]`, a text is a string. HTML in the Markdown is text.

use pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};
use serde_json::{Value, json};

/// Where links lead.
pub(crate) struct Links<'a> {
    /// The names of the pages that the portal has, without `.md`.
    pub(crate) pages: &'a [&'a str],
    /// The address of the repository, which has the other pages. Empty: links to those are plain text.
    pub(crate) repository: &'a str,
}

impl Links<'_> {
    /// The address that a link of a page leads to; none if it leads nowhere.
    fn address(&self, target: &str) -> Option<String> {
        if target.starts_with("https://") || target.starts_with("http://") {
            return Some(target.to_owned());
        }
        let path = target.split('#').next().unwrap_or_default();
        if path.is_empty() || target.starts_with('/') || target.contains(':') {
            return None;
        }
        if let Some(name) = path.strip_suffix(".md").filter(|name| self.pages.contains(name)) {
            return Some(format!("#/inbound/senders/{name}"));
        }
        (!self.repository.is_empty()).then(|| format!("{}/blob/HEAD/docs/senders/{target}", self.repository))
    }
}

/// The page's `title`, its first heading, and its `blocks`.
pub(crate) fn page<'a>(events: impl Iterator<Item = Event<'a>>, links: &Links<'_>) -> Value {
    let mut tree = Tree { links, open: vec![Element::new("page")], in_head: false };
    for event in events {
        tree.take(event);
    }
    let mut blocks = tree.open.swap_remove(0).children;
    let title = blocks.iter().position(|block| block[0] == "h1").map(|at| blocks.remove(at));
    json!({"title": title.as_ref().map(text_of), "blocks": blocks})
}

/// The text of an element and of all that is in it.
fn text_of(node: &Value) -> String {
    match node {
        Value::Array(element) => element.iter().skip(2).map(text_of).collect(),
        text => text.as_str().unwrap_or_default().to_owned(),
    }
}

struct Element {
    tag: &'static str,
    attributes: Value,
    children: Vec<Value>,
}

impl Element {
    fn new(tag: &'static str) -> Self {
        Self::with(tag, json!({}))
    }

    fn with(tag: &'static str, attributes: Value) -> Self {
        Self { tag, attributes, children: Vec::new() }
    }

    fn into_value(self) -> Value {
        [json!(self.tag), self.attributes].into_iter().chain(self.children).collect()
    }
}

struct Tree<'a> {
    links: &'a Links<'a>,
    /// The elements that have not ended, the outermost first.
    open: Vec<Element>,
    in_head: bool,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => {
                let element = self.element(&tag);
                if matches!(tag, Tag::TableHead) {
                    self.in_head = true;
                    self.open.push(Element::new("thead"));
                }
                self.open.push(element);
            }
            Event::End(end) => {
                self.close();
                match end {
                    TagEnd::TableHead => {
                        self.in_head = false;
                        self.close();
                        self.open.push(Element::new("tbody"));
                    }
                    // What was closed above is its body.
                    TagEnd::Table => self.close(),
                    _ => {}
                }
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) => self.add(json!(["code", {}, text.as_ref()])),
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.add(json!(["br", {}])),
            Event::Rule => self.add(json!(["hr", {}])),
            // Extensions that are not enabled.
            Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    fn element(&self, tag: &Tag<'_>) -> Element {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => Element::new("p"),
            Tag::Heading { level, .. } => Element::new(heading(*level)),
            Tag::BlockQuote(_) => Element::new("blockquote"),
            Tag::CodeBlock(_) => Element::new("pre"),
            Tag::List(None) => Element::new("ul"),
            Tag::List(Some(1)) => Element::new("ol"),
            Tag::List(Some(first)) => Element::with("ol", json!({"start": first})),
            Tag::Item => Element::new("li"),
            Tag::Table(_) => Element::new("table"),
            Tag::TableHead | Tag::TableRow => Element::new("tr"),
            Tag::TableCell if self.in_head => Element::with("th", json!({"scope": "col"})),
            Tag::TableCell => Element::new("td"),
            Tag::Emphasis => Element::new("em"),
            Tag::Strong => Element::new("strong"),
            Tag::Link { dest_url, .. } => match self.links.address(dest_url) {
                Some(address) => Element::with("a", json!({"href": address})),
                None => Element::new("span"),
            },
            // Of an image, its description. The others are extensions that are not enabled.
            _ => Element::new("span"),
        }
    }

    /// Ends the innermost element.
    fn close(&mut self) {
        if let Some(element) = self.open.pop() {
            self.add(element.into_value());
        }
    }

    fn add(&mut self, child: Value) {
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(child);
        }
    }

    /// Adds a text, or appends it to the text before it.
    fn text(&mut self, text: &str) {
        match self.open.last_mut().and_then(|parent| parent.children.last_mut()) {
            Some(Value::String(before)) => before.push_str(text),
            _ => self.add(json!(text)),
        }
    }
}

fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h1",
        HeadingLevel::H2 => "h2",
        HeadingLevel::H3 => "h3",
        HeadingLevel::H4 => "h4",
        HeadingLevel::H5 => "h5",
        HeadingLevel::H6 => "h6",
    }
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Options, Parser};

    use super::*;

    fn parsed(markdown: &str) -> Parser<'_> {
        Parser::new_ext(markdown, Options::ENABLE_TABLES)
    }

    fn blocks(markdown: &str, repository: &str) -> Value {
        page(parsed(markdown), &Links { pages: &["harbor", "quay"], repository })["blocks"].clone()
    }

    #[test]
    fn a_page_has_its_title_and_its_blocks() {
        let links = Links { pages: &[], repository: "" };
        assert_eq!(
            page(
                parsed(
                    "# The `one`\n\n## Set it up\n\n1. A *first*\n   step.\n\n   ```\n   {}\n   ```\n\n2. **B**\n"
                ),
                &links
            ),
            json!({"title": "The one", "blocks": [
                ["h2", {}, "Set it up"],
                ["ol", {},
                    ["li", {}, ["p", {}, "A ", ["em", {}, "first"], " step."], ["pre", {}, "{}\n"]],
                    ["li", {}, ["p", {}, ["strong", {}, "B"]]]],
            ]})
        );
    }

    #[test]
    fn a_table_has_a_head_and_a_body() {
        assert_eq!(
            blocks("| A | B |\n|---|---|\n| `a\\|b` | c |\n| d | |\n", ""),
            json!([["table", {},
                ["thead", {}, ["tr", {}, ["th", {"scope": "col"}, "A"], ["th", {"scope": "col"}, "B"]]],
                ["tbody", {},
                    ["tr", {}, ["td", {}, ["code", {}, "a|b"]], ["td", {}, "c"]],
                    ["tr", {}, ["td", {}, "d"], ["td", {}]]]]])
        );
    }

    #[test]
    fn a_link_leads_to_a_page_of_the_portal_or_to_the_repository_and_is_plain_text_otherwise() {
        let link = |target: &str, repository| blocks(&format!("[a *b*]({target})"), repository)[0][2].clone();
        let address = |target, repository| link(target, repository)[1]["href"].clone();
        let there = "https://code.example/stella";
        assert_eq!(address("quay.md#notes", ""), "#/inbound/senders/quay");
        assert_eq!(
            link("https://harbor.example/?a=b", ""),
            json!(["a", {"href": "https://harbor.example/?a=b"}, "a ", ["em", {}, "b"]])
        );
        assert_eq!(
            address("../api.md#mapping", there),
            format!("{there}/blob/HEAD/docs/senders/../api.md#mapping")
        );
        for (target, repository) in [
            ("../api.md", ""),
            ("javascript:alert(1)", there),
            ("JavaScript:alert(1)", there),
            ("//elsewhere.example", there),
            ("#notes", there),
        ] {
            assert_eq!(link(target, repository), json!(["span", {}, "a ", ["em", {}, "b"]]), "{target}");
        }
    }

    #[test]
    fn html_is_text() {
        assert_eq!(
            blocks("a <b onclick=x>&lt;</b>\n\n<script>alert(1)</script>\n", ""),
            json!([["p", {}, "a <b onclick=x><</b>"], ["p", {}, "<script>alert(1)</script>\n"]])
        );
    }
}
