// Senders, and their set-up instructions (`docs/senders`).

import * as api from "./api.js";
import { h } from "./dom.js";
import { code, heading } from "./ui.js";

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

/** @type {Promise<Guide[]> | undefined} */
let all;

/** The pages of the documentation about senders, as the build has converted them. */
function guides() {
  all ??= fetch(new URL("./guides.json", import.meta.url)).then(async (response) => {
    if (!response.ok) throw new api.ApiError(response.status, {});
    return response.json();
  }).catch((error) => {
    all = undefined;
    throw error;
  });
  return all;
}

/**
 * A node of a guide as an element. Its headings begin at this level.
 * @param {GuideNode} node
 * @param {number} level
 * @returns {Child}
 */
function element(node, level) {
  if (typeof node === "string") return node;
  const [tag, attributes, ...children] = node;
  if (tag === "pre") return code(children.join("").trimEnd(), "Example");
  const name = tag.replace(/^h\d$/, (heading) => `h${Number(heading[1]) + level - 2}`);
  return h(/** @type {keyof HTMLElementTagNameMap} */ (name), attributes, children.map((child) => element(child, level)));
}

/**
 * The set-up instructions of a sender, without the step that creates the webhook config.
 * @param {Api.Sender} sender
 */
export async function guide(sender) {
  const title = sender.docs.match(/^# (.*)$/m)?.[1];
  const blocks = (await guides()).find((page) => page.title === title)?.blocks ?? [];
  const steps = blocks.find(([tag]) => tag === "ol");
  /** @type {(block: GuideElement) => GuideElement} */
  const withoutFirst = ([tag, attributes, , ...others]) => [tag, attributes, ...others];
  const rest = blocks.map((block) => (block === steps ? withoutFirst(block) : block));
  return h("div", { class: "guide" }, rest.map((block) => element(block, 3)));
}

/**
 * A whole page of the documentation about senders.
 * @param {string} name
 */
export async function guidePage(name) {
  const page = (await guides()).find((page) => page.name === name);
  if (!page) throw new api.ApiError(404, {});
  return h("div", {}, heading(page.title), h("div", { class: "guide" }, page.blocks.map((block) => element(block, 2))));
}
