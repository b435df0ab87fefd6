// The delivery log, and the page of one delivery.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, form, text } from "./form.js";
import { STATUSES } from "./schema.js";
import {
  badge, button, code, copyButton, counted, empty, exactTime, facts, foldable, headerLines, heading, id, link, milliseconds, navigate,
  number, poll, redraw, section, table, time,
} from "./ui.js";

/** How many rows a live list keeps. */
const MAX_ROWS = 1000;
const FINAL = ["delivered", "failed", "skipped", "cancelled"];
/** @type {Record<Api.DeliveryReason, string>} */
const REASONS = {
  breaker: "Endpoint is failing; delivery is on hold",
  rate_limit: "Waiting for the rate limit",
  pull: "Waiting to be fetched",
  disabled: "Subscription is disabled",
  credential: "Credential cannot be read",
  exhausted: "All attempts failed",
  gone: "Endpoint responded with 410 (gone)",
  subscription_deleted: "Subscription was deleted",
  event_expired: "Event is no longer stored",
  expired: "Open for 30 days",
};

/**
 * The text of a delivery's reason.
 * @param {Api.Delivery} row
 */
export const reasonText = (row) => (row.reason ? REASONS[row.reason] ?? row.reason : undefined);

/**
 * The outcome of an attempt as text.
 * @param {{ error?: string | null, statusCode?: number | null }} attempt
 */
const attemptOutcome = (attempt) => attempt.error ?? `Status ${attempt.statusCode}`;

/**
 * The outcome of the last attempt as text.
 * @param {Api.Delivery} row
 */
const outcome = (row) =>
  row.error ?? (row.statusCode ? attemptOutcome(row) : row.attempts ? "" : reasonText(row) ?? "No attempts yet");

/**
 * A table of deliveries; `names` has the names of their subscriptions by id.
 * @param {Api.Delivery[]} rows
 * @param {Map<string, string>} names
 */
export function deliveryTable(rows, names) {
  /** @param {Api.Delivery} row */
  const subscription = ({ subscriptionId }) =>
    link(`#/subscriptions/${subscriptionId}`, names.get(subscriptionId) ?? id(subscriptionId));
  return table("Deliveries", [
    ["Status", (row) => badge(row.status, reasonText(row))],
    ["Event", (row) => link(`#/deliveries/${row.id}`, row.event, row.test && " (test)")],
    ["Subscription", subscription, "cut"],
    ["Last attempt", outcome, "cut"],
    ["Attempts", (row) => number(row.attempts), "right minor"],
    ["Response time", (row) => milliseconds(row.responseTime), "right minor"],
    ["Created", (row) => time(row.createdAt)],
  ], rows);
}

/** @param {string} local */
const fromLocal = (local) => (local ? new Date(local).toISOString() : undefined);
/** @param {string | undefined} moment */
const toLocal = (moment) =>
  (moment ? new Date(Date.parse(moment) - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "");

/** @param {Record<string, string>} query */
async function list(query) {
  const [subscriptions, types] = await Promise.all([api.all("/webhook-subscriptions"), api.get("/event-types")]);
  const names = new Map(subscriptions.map(({ id, name }) => [id, name]));
  /** @type {"/deliveries" | `/webhook-subscriptions/${string}/deliveries`} */
  const path = names.has(query.subscription) ? `/webhook-subscriptions/${query.subscription}/deliveries` : "/deliveries";
  const { status, event } = query;
  const [from, to] = [query.from, query.to].map((moment) => (Number.isNaN(Date.parse(moment)) ? undefined : moment));
  /** @param {Query} [more] */
  const load = (more = {}) => api.page(path, { status, event, from, to, pageSize: 50, ...more });
  /**
   * @param {[string, string][]} values
   * @returns {[string, string][]}
   */
  const anyOf = (values) => [["", "Any"], ...values];
  /** @param {Values} values */
  const filter = (values) =>
    navigate(`#/deliveries${api.queryOf({ ...values, from: fromLocal(values.from), to: fromLocal(values.to) })}`);
  const since = text({ name: "from", label: "From", type: "datetime-local", value: toLocal(from) });
  const isFiltered = Object.keys(query).length > 0;
  const bar = form("Filter", [
    choice({ name: "status", label: "Status", value: status, choices: anyOf(STATUSES.map((name) => [name, name])) }),
    choice({ name: "event", label: "Event", value: event, choices: anyOf(types.map(({ name }) => [name, name])) }),
    choice({ name: "subscription", label: "Subscription", value: query.subscription, choices: anyOf([...names]) }),
    since,
    text({
      name: "to", label: "To", type: "datetime-local", value: toLocal(to),
      check: (value) => (value && value < (since.read() ?? "") ? "Must be after From." : undefined),
    }),
  ], filter, isFiltered && link("#/deliveries", "Clear"));
  bar.classList.add("filterbar");

  // Rows by id, in the order of the list: new ones come first, changed ones keep their place.
  /** @type {Map<string, Api.Delivery>} */
  const rows = new Map();
  /** @type {string | null | undefined} */
  let cursor;
  const body = h("div", {});
  const none = isFiltered
    ? empty("No deliveries match the filter", "Change or clear the filter.")
    : empty("No deliveries yet", "Deliveries appear here when an event matches a subscription.");
  /** @param {Set<string>} added */
  const draw = (added = new Set()) => {
    const focused = document.activeElement?.closest("tr")?.dataset.id;
    const all = [...rows.values()];
    show(body,
      all.length ? deliveryTable(all, names) : none,
      h("div", { class: "more" }, all.length > 0 && `${number(all.length)} shown`, cursor && button("Show more", more)));
    /** @type {NodeListOf<HTMLElement>} */ (body.querySelectorAll("tbody tr")).forEach((line, index) => {
      line.dataset.id = all[index].id;
      if (added.has(all[index].id)) line.classList.add("new");
    });
    if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`tr[data-id="${focused}"] a`))?.focus();
  };
  async function more() {
    const found = await load({ cursor });
    for (const row of found.data) rows.set(row.id, row);
    cursor = found.pagination.nextCursor;
    draw();
  }
  async function refresh() {
    const found = await load({});
    const added = found.data.filter(({ id }) => !rows.has(id));
    const isChanged = found.data.some((row) => JSON.stringify(rows.get(row.id)) !== JSON.stringify(row));
    if (!isChanged) return;
    // If every row of the page is new, rows between it and the shown ones are missing: the list starts over.
    const isGap = added.length === found.data.length;
    const before = isGap ? [] : [...rows].slice(0, MAX_ROWS);
    if (isGap) cursor = found.pagination.nextCursor;
    rows.clear();
    for (const row of found.data) rows.set(row.id, row);
    for (const [id, row] of before) if (!rows.has(id)) rows.set(id, row);
    draw(new Set(added.map(({ id }) => id)));
  }
  // A list that ends in the past gets no new rows.
  let isLive = !to;
  try {
    await more();
  } catch (error) {
    if (error.code !== "too_many_subscriptions") throw error;
    isLive = false;
    show(body, empty("Choose a subscription", error.message));
  }
  if (isLive) poll(2500, body, refresh);
  return h("div", {}, heading("Deliveries", isLive && h("span", { class: "live" }, "live")), bar, body);
}

/**
 * The request of an attempt as a curl command; the shown headers have their secrets redacted.
 * @param {Api.Attempt} attempt
 * @param {Api.Delivery} row
 */
function curl(attempt, row) {
  /** @param {string} text */
  const quote = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
  const headers = headerLines(attempt.headers ?? { "Content-Type": "application/json" });
  return [
    `curl -X ${row.method} ${quote(row.url)}`,
    ...headers.map((line) => `-H ${quote(line)}`),
    attempt.body !== undefined && `-d ${quote(attempt.body)}`,
  ].filter(Boolean).join(" \\\n  ");
}

/** How many attempts the timeline shows. */
const MAX_STEPS = 6;

/**
 * @param {Api.Delivery} row
 * @param {Api.Subscription | null} subscription
 */
function timeline(row, subscription) {
  /**
   * @param {string} tone
   * @param {string} title
   * @param {Child[]} details
   */
  const step = (tone, title, ...details) => h("li", { class: tone }, h("strong", {}, title), ...details);
  const log = row.log ?? [];
  const attempts = log.slice(-MAX_STEPS).map((attempt) =>
    step(attempt.success ? "good" : "bad", `Attempt ${attempt.attempt}`, attemptOutcome(attempt), h("br"), time(attempt.at)));
  const earlier = log.length - attempts.length;
  const isFinal = FINAL.includes(row.status);
  const tone = row.status === "delivered" ? "good" : row.status === "failed" ? "bad" : isFinal ? "" : "warn";
  const next = !isFinal && row.nextAttemptAt && [h("br"), "Next attempt ", time(row.nextAttemptAt)];
  return h("ol", { class: "steps", "aria-label": "Timeline" },
    step("good", row.test ? "Test" : "Event", row.event, h("br"), time(row.createdAt)),
    step("good", "Subscription matched", subscription?.name ?? "Deleted subscription"),
    earlier > 0 && step("bad", counted(earlier, "earlier attempt", "earlier attempts")),
    attempts,
    step(tone, row.status, reasonText(row), next));
}

/**
 * @param {Api.Attempt} attempt
 * @param {Api.Delivery} row
 * @param {boolean} isOpen
 */
function attemptView(attempt, row, isOpen) {
  const headers = attempt.headers && headerLines(attempt.headers).join("\n");
  /** @param {Child[]} children */
  const muted = (...children) => h("span", { class: "muted" }, ...children);
  return h("details", { class: "attempt", open: isOpen },
    h("summary", {}, badge(attempt.success ? "delivered" : "failed"), h("strong", {}, `Attempt ${attempt.attempt}`),
      attempt.generation > 0 && `Redelivery ${attempt.generation}`, h("span", {}, attemptOutcome(attempt)),
      muted(`in ${milliseconds(attempt.responseTime)}`), muted(exactTime(attempt.at))),
    h("div", { class: "columns" },
      h("div", { class: "list" }, h("h3", {}, "Request"), h("p", {}, h("code", {}, `${row.method} ${row.url}`)),
        headers
          ? code(headers, "Request headers")
          : h("p", { class: "muted" }, "Headers are unavailable: the subscription has changed since."),
        attempt.body !== undefined && code(attempt.body, "Request body"),
        h("div", {}, copyButton(() => curl(attempt, row), "Copy as curl"))),
      h("div", { class: "list" }, h("h3", {}, "Response"),
        attempt.error && h("p", { class: "problem" }, attempt.error),
        facts(["Status", attempt.statusCode], ["Response time", milliseconds(attempt.responseTime)],
          ["Signed at", exactTime(attempt.at)]),
        attempt.responseBody ? code(attempt.responseBody, "Response body") : h("p", { class: "muted" }, "No body"))));
}

/** @param {string} key */
async function one(key) {
  let row = await api.get(`/deliveries/${key}`);
  const subscription = await api.get(`/webhook-subscriptions/${row.subscriptionId}`).catch(() => null);
  const body = h("div", { class: "stack" });
  const redeliver = async () => {
    await api.post(`/deliveries/${key}/redeliver`);
    row = await api.get(`/deliveries/${key}`);
    draw();
  };
  const draw = () => {
    const log = row.log ?? [];
    const last = log.at(-1);
    redraw(body,
      heading(row.event, badge(row.status, reasonText(row)),
        api.hasRole("admin") && FINAL.includes(row.status) && !row.test && button("Redeliver", redeliver, { class: "primary" })),
      section("Timeline", timeline(row, subscription),
        last && !last.success && h("p", { class: "problem" },
          `The last attempt failed: ${last.error ?? `the endpoint responded with status ${last.statusCode}`}. `,
          row.reason === "exhausted" && "No attempts are left. Fix the endpoint, then redeliver.")),
      section("Delivery", facts(
        ["ID", id(row.id)],
        ["Event", row.eventId ? link(`#/events/${row.eventId}`, id(row.eventId)) : "Test example"],
        ["Subscription", link(`#/subscriptions/${row.subscriptionId}`, subscription?.name ?? id(row.subscriptionId))],
        ["Endpoint", foldable(row.url)],
        ["Attempts", number(row.attempts)],
        ["Next attempt", row.nextAttemptAt && time(row.nextAttemptAt)])),
      section("Attempts", log.length
        ? [...log].reverse().map((attempt, index) => attemptView(attempt, row, index === 0))
        : h("p", { class: "muted" }, "No attempts yet")));
  };
  draw();
  poll(1500, body, async () => {
    if (FINAL.includes(row.status)) return;
    const now = await api.get(`/deliveries/${key}`);
    if (JSON.stringify(now) === JSON.stringify(row)) return;
    row = now;
    draw();
  });
  return body;
}

/**
 * @param {string[]} parts
 * @param {Record<string, string>} query
 */
export const render = (parts, query) => (parts.length ? one(parts[0]) : list(query));
