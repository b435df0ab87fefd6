// Senders, and the set-up instructions from their documentation.

import { h } from "./dom.js";
import { code } from "./ui.js";

/**
 * Name, type, provider, the file of its documentation, and whether it authenticates by a secret.
 * @type {[title: string, type: string, provider: string, file: string, hasSecret: boolean][]}
 */
export const SENDERS = [
  ["Docker Hub", "registry-push", "dockerhub", "dockerhub", false],
  ["GitHub Container Registry", "registry-push", "ghcr", "ghcr", true],
  ["Harbor", "registry-push", "harbor", "harbor", true],
  ["Quay", "registry-push", "quay", "quay", false],
  ["Amazon ECR", "registry-push", "ecr", "ecr", true],
  ["Azure Container Registry", "registry-push", "acr", "acr", true],
  ["Google Artifact Registry", "registry-push", "gar", "gar", false],
  ["JFrog Artifactory", "registry-push", "artifactory", "artifactory", true],
  ["Sonatype Nexus 3", "registry-push", "nexus", "nexus", true],
  ["Distribution", "registry-push", "distribution", "distribution", true],
  ["Gitea", "registry-push", "gitea", "gitea", true],
  ["Forgejo", "registry-push", "forgejo", "gitea", true],
  ["GitHub", "github-app", "auto", "github", true],
  ["GitLab", "gitlab-webhook", "auto", "gitlab", true],
  ["Bitbucket", "generic", "bitbucket", "bitbucket", true],
  ["Jenkins", "ci-pipeline", "jenkins", "jenkins", false],
  ["CircleCI", "ci-pipeline", "circleci", "circleci", true],
  ["Buildkite", "ci-pipeline", "buildkite", "buildkite", true],
  ["Azure DevOps", "ci-pipeline", "azure-devops", "azure-devops", true],
  ["Tekton", "ci-pipeline", "tekton", "tekton", false],
  ["CDEvents", "ci-pipeline", "cdevents", "cdevents", false],
  ["Generic webhook", "generic", "generic", "generic", false],
];

/**
 * The sender of a webhook config.
 * @param {Api.WebhookConfig} config
 */
export const senderOf = ({ type, provider }) =>
  SENDERS.find(([, kind, name]) => kind === type && name === provider)
  ?? SENDERS.find(([, , name]) => name === provider && name !== "auto")
  ?? SENDERS.find(([, kind]) => kind === type);

/**
 * A line's `code`, **bold** and *emphasis* as elements; of a link, its text.
 * @param {string} text
 */
function spans(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return h("strong", {}, part.slice(2, -2));
    if (part.startsWith("*")) return h("em", {}, part.slice(1, -1));
    if (part.startsWith("[")) return part.slice(1, part.indexOf("]"));
    return part;
  });
}

/** @param {string} line */
const cells = (line) => line.split("|").slice(1, -1).map((cell) => spans(cell.trim()));

/**
 * The subset of Markdown that the documentation uses, as elements.
 * @param {string} source
 */
function markdown(source) {
  /** @type {HTMLElement[]} */
  const blocks = [];
  const list = () => (blocks.at(-1)?.tagName === "OL" || blocks.at(-1)?.tagName === "UL" ? blocks.at(-1) : null);
  const lines = source.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at].trim();
    const item = line.match(/^(?:(\d+)\.|-) (.*)$/);
    if (line.startsWith("```")) {
      const from = at + 1;
      do at += 1; while (at < lines.length && !lines[at].trim().startsWith("```"));
      const block = code(lines.slice(from, at).map((text) => text.trim()).join("\n"), "Example");
      if (lines[at]?.startsWith(" ") && list()) list()?.lastElementChild?.append(block);
      else blocks.push(block);
    } else if (line.startsWith("#")) blocks.push(h("h3", {}, spans(line.replace(/^#+ /, ""))));
    else if (line.startsWith("|")) {
      const rows = [];
      for (; lines[at]?.startsWith("|"); at += 1) rows.push(lines[at]);
      blocks.push(h("table", {},
        h("thead", {}, h("tr", {}, cells(rows[0]).map((cell) => h("th", { scope: "col" }, cell)))),
        h("tbody", {}, rows.slice(2).map((row) => h("tr", {}, cells(row).map((cell) => h("td", {}, cell)))))));
    } else if (item) {
      const kind = item[1] ? "ol" : "ul";
      if (list()?.tagName !== kind.toUpperCase()) blocks.push(h(kind, {}));
      list()?.append(h("li", {}, spans(item[2])));
    } else if (line) blocks.push(h("p", {}, spans(line)));
  }
  return blocks;
}

/**
 * The set-up instructions of a sender, without the step that creates the webhook config.
 * @param {(typeof SENDERS)[number]} sender
 */
export async function guide(sender) {
  const response = await fetch(new URL(`./senders/${sender[3]}.md`, import.meta.url));
  if (!response.ok) return h("p", { class: "muted" }, "The documentation is unavailable.");
  const text = (await response.text()).replace(/^# .*$/m, "").replace(/^## Set it up\s+1\. [\s\S]*?```[\s\S]*?```/m, "");
  return h("div", { class: "guide" }, markdown(text));
}
