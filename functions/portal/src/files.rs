//! The portal's files, embedded in the binary.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// The page; `{revision}` in the URLs of its files is to be replaced.
pub(crate) const PAGE: &str = include_str!("../pages/index.html");

/// Every other file by its path. The inbound pages show the set-up instructions of `docs/senders`.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("app.js", include_str!("../pages/app.js")),
    ("api.js", include_str!("../pages/api.js")),
    ("dom.js", include_str!("../pages/dom.js")),
    ("ui.js", include_str!("../pages/ui.js")),
    ("form.js", include_str!("../pages/form.js")),
    ("chart.js", include_str!("../pages/chart.js")),
    ("overview.js", include_str!("../pages/overview.js")),
    ("deliveries.js", include_str!("../pages/deliveries.js")),
    ("subscriptions.js", include_str!("../pages/subscriptions.js")),
    ("subscription_form.js", include_str!("../pages/subscription_form.js")),
    ("inbound.js", include_str!("../pages/inbound.js")),
    ("setup.js", include_str!("../pages/setup.js")),
    ("components.js", include_str!("../pages/components.js")),
    ("events.js", include_str!("../pages/events.js")),
    ("settings.js", include_str!("../pages/settings.js")),
    ("signin.js", include_str!("../pages/signin.js")),
    ("style.css", include_str!("../pages/style.css")),
    ("icon.svg", include_str!("../pages/icon.svg")),
    ("senders/acr.md", include_str!("../../../docs/senders/acr.md")),
    ("senders/artifactory.md", include_str!("../../../docs/senders/artifactory.md")),
    ("senders/azure-devops.md", include_str!("../../../docs/senders/azure-devops.md")),
    ("senders/bitbucket.md", include_str!("../../../docs/senders/bitbucket.md")),
    ("senders/buildkite.md", include_str!("../../../docs/senders/buildkite.md")),
    ("senders/cdevents.md", include_str!("../../../docs/senders/cdevents.md")),
    ("senders/circleci.md", include_str!("../../../docs/senders/circleci.md")),
    ("senders/distribution.md", include_str!("../../../docs/senders/distribution.md")),
    ("senders/dockerhub.md", include_str!("../../../docs/senders/dockerhub.md")),
    ("senders/ecr.md", include_str!("../../../docs/senders/ecr.md")),
    ("senders/gar.md", include_str!("../../../docs/senders/gar.md")),
    ("senders/generic.md", include_str!("../../../docs/senders/generic.md")),
    ("senders/ghcr.md", include_str!("../../../docs/senders/ghcr.md")),
    ("senders/gitea.md", include_str!("../../../docs/senders/gitea.md")),
    ("senders/github.md", include_str!("../../../docs/senders/github.md")),
    ("senders/gitlab.md", include_str!("../../../docs/senders/gitlab.md")),
    ("senders/harbor.md", include_str!("../../../docs/senders/harbor.md")),
    ("senders/jenkins.md", include_str!("../../../docs/senders/jenkins.md")),
    ("senders/nexus.md", include_str!("../../../docs/senders/nexus.md")),
    ("senders/quay.md", include_str!("../../../docs/senders/quay.md")),
    ("senders/tekton.md", include_str!("../../../docs/senders/tekton.md")),
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
