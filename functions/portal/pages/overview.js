// The overview: the last 24 hours, and what needs attention.

import * as api from "./api.js";
import { bars } from "./chart.js";
import { h } from "./dom.js";
import { badge, counted, heading, link, milliseconds, number, percent, poll, section, time } from "./ui.js";

/** @type {["delivered" | "failed" | "retried", string][]} */
const OUTCOMES = [["delivered", "good"], ["retried", "warn"], ["failed", "bad"]];
/** @type {[action: string, tone: string][]} */
const ACTIONS = [
  ["processed", "main"], ["ignored", "quiet"], ["duplicate", "quiet"], ["pong", "quiet"], ["queued", "warn"], ["refused", "bad"],
];
/**
 * For each kind of attention: the badge, the page, and the text.
 * @type {Record<Api.Attention["kind"], [word: string, page: string, text: string]>}
 */
const KINDS = {
  subscription_disabled: ["disabled", "subscriptions", "Disabled by the service"],
  breaker_open: ["on hold", "subscriptions", "Deliveries are paused until it recovers"],
  subscription_failing: ["failing", "subscriptions", "All attempts fail"],
  requests_rejected: ["unauthenticated", "inbound", "Many requests fail authentication"],
};

const actionNames = ACTIONS.map(([name]) => name);
/**
 * The number of requests with this action; every name that is no action is an error code and counts as refused.
 * @param {{ pushes: Api.Pushes }} hour
 * @param {string} name
 */
const requests = ({ pushes }, name) =>
  name === "refused"
    ? Object.entries(pushes).reduce((sum, [action, count]) => (actionNames.includes(action) ? sum : sum + count), 0)
    : pushes[name] ?? 0;

/**
 * @param {string} name
 * @param {Child} value
 * @param {Child} [detail]
 */
const tile = (name, value, detail) =>
  h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value, detail && h("small", {}, " ", detail)));

/** @param {Api.Overview} day */
function attention({ attention, deliveries }) {
  const rows = attention.map(({ kind, id, name, since, detail }) => {
    const [word, page, text] = KINDS[kind];
    return h("li", {}, badge(word), link(`#/${page}/${id}`, name), h("span", {}, text),
      since && h("span", { class: "muted" }, "since ", time(since)), detail && h("span", { class: "muted" }, detail));
  });
  if (deliveries.failed) {
    const failed = link("#/deliveries?status=failed", counted(deliveries.failed, "delivery", "deliveries"));
    rows.push(h("li", {}, badge("failed"), failed, h("span", {}, "failed permanently in the last 24 hours")));
  }
  return section("Needs attention", rows.length
    ? h("ul", { class: "list attention" }, rows)
    : h("p", { class: "muted" }, "Nothing: all subscriptions and inbound webhooks are healthy."));
}

const STEPS = [
  ["Create a component", "What you release, and the repositories of its artifacts. Its triggers select the versions that become releases.",
    "#/components/new"],
  ["Create an inbound webhook", "A URL for your registry, CI system or code host. Its page shows where to paste it and what it receives.",
    "#/inbound/new"],
  ["Create a subscription", "An endpoint that gets a signed request for each event, with retries.", "#/subscriptions/new"],
];

const firstSteps = () => h("section", { class: "first" },
  h("h2", {}, "No activity yet"),
  h("p", { class: "lead" }, "Three steps lead from a push to a delivered webhook. Activity appears here within seconds."),
  h("ol", {}, STEPS.map(([title, text, href], index) => h("li", {},
    h("span", { class: "step", "aria-hidden": true }, index + 1),
    h("div", {}, link(href, title), h("p", { class: "muted" }, text))))));

/** @param {Api.Overview} day */
function view(day) {
  const total = Object.values(day.pushes).reduce((sum, count) => sum + count, 0);
  if (!day.attempts && !total && !day.attention.length) return [firstSteps()];
  return [
    h("dl", { class: "tiles" },
      tile("Delivered", number(day.deliveries.delivered)),
      tile("First-attempt success", percent(day.firstAttemptSuccessRate)),
      tile("Response time (p50)", milliseconds(day.responseTime.p50), `p99 ${milliseconds(day.responseTime.p99)}`),
      tile("Inbound requests", number(total), `${number(requests(day, "processed"))} processed`)),
    attention(day),
    h("div", { class: "columns" },
      h("div", { class: "card" }, bars("Attempts by outcome", day.hours, OUTCOMES, (hour, name) => hour.deliveries[name])),
      h("div", { class: "card" }, bars("Inbound requests by action", day.hours, ACTIONS, requests))),
  ];
}

export async function render() {
  let day = await api.get("/overview");
  const body = h("div", { class: "stack" }, view(day));
  poll(10000, body, async () => {
    const now = await api.get("/overview");
    if (JSON.stringify(now) === JSON.stringify(day) || body.contains(document.activeElement)) return;
    day = now;
    body.replaceChildren(...view(day));
  });
  return h("div", {}, heading("Overview", h("span", { class: "muted" }, "last 24 hours")), body);
}
