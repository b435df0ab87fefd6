// The last day, and what needs attention.

import * as api from "./api.js";
import { bars } from "./chart.js";
import { h } from "./dom.js";
import { badge, counted, every, heading, link, milliseconds, number, percent, section, time } from "./ui.js";

/** @type {["delivered" | "failed" | "retried", string][]} */
const OUTCOMES = [["delivered", "good"], ["retried", "warn"], ["failed", "bad"]];
/** @type {[action: string, tone: string][]} */
const ACTIONS = [["processed", "main"], ["ignored", "quiet"], ["duplicate", "quiet"], ["pong", "quiet"], ["queued", "warn"], ["refused", "bad"]];
/** @type {Record<string, [word: string, page: string, text: string]>} */
const KINDS = {
  subscription_disabled: ["disabled", "subscriptions", "was disabled by the service"],
  breaker_open: ["down", "subscriptions", "its deliveries wait until it is back"],
  subscription_failing: ["failing", "subscriptions", "takes nothing"],
  requests_rejected: ["unauthenticated", "inbound", "refuses many requests"],
};

const known = ACTIONS.map(([name]) => name);
/**
 * What is no action is the code of an error.
 * @param {{ pushes: Api.Pushes }} hour
 * @param {string} name
 */
const pushes = ({ pushes }, name) =>
  name === "refused"
    ? Object.entries(pushes).reduce((sum, [action, count]) => (known.includes(action) ? sum : sum + count), 0)
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
    return h("li", {}, badge(word), link(`#/${page}/${id}`, name), h("span", {}, text), since && h("span", { class: "muted" }, "since ", time(since)), detail && h("span", { class: "muted" }, detail));
  });
  if (deliveries.failed) {
    rows.push(h("li", {}, badge("failed"), link("#/deliveries?status=failed", counted(deliveries.failed, "delivery", "deliveries")), h("span", {}, "failed for good in the last 24 hours")));
  }
  return rows.length
    ? section("Needs attention", h("ul", { class: "list attention" }, rows))
    : section("Needs attention", h("p", { class: "muted" }, "Nothing: every receiver takes what it gets."));
}

const STEPS = [
  ["Make a component", "What you release, and the repositories that its artifacts are pushed to. A trigger says which versions become releases.", "#/components/new"],
  ["Make an address for a sender", "Your registry, CI system or code host posts to it. The page says where to paste it, and shows what comes in.", "#/inbound/new"],
  ["Subscribe to events", "Whoever is to know gets a signed request for each event, tried again until it is taken.", "#/subscriptions/new"],
];

const firstSteps = () => h("section", { class: "first" },
  h("h2", {}, "Nothing has happened yet"),
  h("p", { class: "lead" }, "Three steps lead from a push to a delivered webhook. What happens then is seen here, within seconds."),
  h("ol", {}, STEPS.map(([title, text, href], index) => h("li", {}, h("span", { class: "step", "aria-hidden": true }, index + 1), h("div", {}, link(href, title), h("p", { class: "muted" }, text))))));

/** @param {Api.Overview} day */
function view(day) {
  const pushed = Object.values(day.pushes).reduce((sum, count) => sum + count, 0);
  if (!day.attempts && !pushed && !day.attention.length) return [firstSteps()];
  return [
    h("dl", { class: "tiles" },
      tile("Delivered", number(day.deliveries.delivered)),
      tile("First-attempt success", percent(day.firstAttemptSuccessRate)),
      tile("Time of an attempt", milliseconds(day.responseTime.p50), `p99 ${milliseconds(day.responseTime.p99)}`),
      tile("Pushes", number(pushed), `${number(pushes(day, "processed"))} processed`)),
    attention(day),
    h("div", { class: "columns" },
      h("div", { class: "card" }, bars("Attempts by outcome", day.hours, OUTCOMES, (hour, name) => hour.deliveries[name])),
      h("div", { class: "card" }, bars("Pushes by action", day.hours, ACTIONS, pushes))),
  ];
}

export async function render() {
  let day = await api.get("/overview");
  const body = h("div", { class: "stack" }, view(day));
  every(10000, body, async () => {
    const now = await api.get("/overview");
    if (JSON.stringify(now) === JSON.stringify(day) || body.contains(document.activeElement)) return;
    day = now;
    body.replaceChildren(...view(day));
  });
  return h("div", {}, heading("Overview", h("span", { class: "muted" }, "the last 24 hours")), body);
}
