//! The portal's files, embedded in the binary.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// The page; `{revision}` in the URLs of its files is to be replaced.
pub(crate) const PAGE: &str = include_str!("../pages/index.html");

/// Every other file by its path.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("app.js", include_str!("../pages/app.js")),
    ("api.js", include_str!("../pages/api.js")),
    ("dom.js", include_str!("../pages/dom.js")),
    ("ui.js", include_str!("../pages/ui.js")),
    ("form.js", include_str!("../pages/form.js")),
    ("schema.js", include_str!("../pages/schema.js")),
    ("chart.js", include_str!("../pages/chart.js")),
    ("overview.js", include_str!("../pages/overview.js")),
    ("deliveries.js", include_str!("../pages/deliveries.js")),
    ("subscriptions.js", include_str!("../pages/subscriptions.js")),
    ("subscription_form.js", include_str!("../pages/subscription_form.js")),
    ("inbound.js", include_str!("../pages/inbound.js")),
    ("setup.js", include_str!("../pages/setup.js")),
    ("guides.json", include_str!(concat!(env!("OUT_DIR"), "/guides.json"))),
    ("components.js", include_str!("../pages/components.js")),
    ("events.js", include_str!("../pages/events.js")),
    ("settings.js", include_str!("../pages/settings.js")),
    ("signin.js", include_str!("../pages/signin.js")),
    ("style.css", include_str!("../pages/style.css")),
    ("icon.svg", include_str!("../pages/icon.svg")),
];

/// A hash of all files, the version in their URLs.
pub(crate) fn revision() -> &'static str {
    static REVISION: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        for (name, text) in FILES {
            hash.update(name);
            hash.update(text);
        }
        hash.update(PAGE);
        hex::encode(hash.finalize()).chars().take(16).collect()
    });
    &REVISION
}
