// Senders, and their set-up instructions.

import * as api from "./api.js";
import { h } from "./dom.js";
import { code } from "./ui.js";

/** @type {Promise<Api.Sender[]> | undefined} */
let list;

/** Every sender that the API knows. */
export function senders() {
  list ??= api.get("/senders").catch((error) => {
    list = undefined;
    throw error;
  });
  return list;
}

/**
 * The sender of a webhook config; undefined if each request's body decides.
 * @param {Api.Sender[]} known
 * @param {Api.WebhookConfig} config
 */
export const senderOf = (known, { type, provider }) =>
  known.find((sender) => sender.provider === provider && sender.types.includes(type));

/**
 * Whether a sender authenticates by a secret, and not by a token in the URL.
 * @param {Api.Sender | undefined} sender
 */
export const hasSecret = (sender) => sender !== undefined && sender.authentication.type !== "none";

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
 * @param {Api.Sender} sender
 */
export function guide(sender) {
  const text = sender.docs.replace(/^# .*$/m, "").replace(/^## Set it up\s+1\. [\s\S]*?```[\s\S]*?```/m, "");
  return h("div", { class: "guide" }, markdown(text));
}
