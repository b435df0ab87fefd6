// What went to subscribers, as it goes; and one delivery's life.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, form, text } from "./form.js";
import { badge, button, code, copyButton, empty, every, exactly, facts, go, headerLines, heading, id, link, long, milliseconds, number, redraw, section, table, time } from "./ui.js";

/** How many rows a list keeps that is looked at for days. */
const MOST_ROWS = 1000;
const STATUSES = ["pending", "retrying", "paused", "delivered", "failed", "skipped", "cancelled"];
const FINAL = ["delivered", "failed", "skipped", "cancelled"];
/** @type {Record<string, string>} */
const REASONS = {
  breaker: "The receiver is down; it waits until it is back.", rate_limit: "It waits for its turn.", pull: "It waits to be fetched.",
  disabled: "The subscription is disabled.", credential: "The credential cannot be read.", exhausted: "Every attempt failed.",
  gone: "The receiver answered that it is gone.", subscription_deleted: "The subscription was deleted.",
  event_expired: "The event is not kept any more.", expired: "It was open for 30 days.",
};

/** @param {Api.Delivery} row */
export const why = (row) => REASONS[row.reason ?? ""] ?? row.reason;

/**
 * What came of the last attempt, in a word.
 * @param {Api.Delivery} row
 */
const outcome = (row) => row.error ?? (row.statusCode ? `answered ${row.statusCode}` : row.attempts ? "" : why(row) ?? "no attempt yet");

/**
 * A table of deliveries; `names`: of their subscriptions, by id.
 * @param {Api.Delivery[]} rows
 * @param {Map<string, string>} names
 */
export function deliveryTable(rows, names) {
  return table("Deliveries", [
    ["Status", (row) => badge(row.status, why(row))],
    ["Event", (row) => link(`#/deliveries/${row.id}`, row.event, row.test && " (test)")],
    ["Subscription", (row) => link(`#/subscriptions/${row.subscriptionId}`, names.get(row.subscriptionId) ?? id(row.subscriptionId)), "cut"],
    ["Last attempt", outcome, "cut"],
    ["Attempts", (row) => number(row.attempts), "right minor"],
    ["Took", (row) => milliseconds(row.responseTime), "right minor"],
    ["When", (row) => time(row.createdAt)],
  ], rows);
}

/** @param {string} local */
const stamp = (local) => (local ? new Date(local).toISOString() : undefined);
/** @param {string | undefined} moment */
const local = (moment) => (moment ? new Date(Date.parse(moment) - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "");

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
  const anyOf = (values) => [["", "any"], ...values];
  /** @param {Values} values */
  const filter = (values) => go(`#/deliveries${api.queryOf({ ...values, from: stamp(values.from), to: stamp(values.to) })}`);
  const since = text({ name: "from", label: "From", type: "datetime-local", value: local(from) });
  const bar = form("Filter", [
    choice({ name: "status", label: "Status", value: status, choices: anyOf(STATUSES.map((name) => [name, name])) }),
    choice({ name: "event", label: "Event", value: event, choices: anyOf(types.map(({ name }) => [name, name])) }),
    choice({ name: "subscription", label: "Subscription", value: query.subscription, choices: anyOf([...names]) }),
    since,
    text({ name: "to", label: "To", type: "datetime-local", value: local(to), check: (value) => (value && value < (since.read() ?? "") ? "This is before From." : undefined) }),
  ], filter, Object.keys(query).length > 0 && link("#/deliveries", "Clear"));
  bar.classList.add("filterbar");

  // Rows by id, in the list's order: what is new comes on top, what changed changes where it is.
  /** @type {Map<string, Api.Delivery>} */
  const rows = new Map();
  /** @type {string | null | undefined} */
  let cursor;
  const body = h("div", {});
  /** @param {Set<string>} fresh */
  const draw = (fresh = new Set()) => {
    const focused = document.activeElement?.closest("tr")?.dataset.id;
    const all = [...rows.values()];
    show(body,
      all.length ? deliveryTable(all, names) : empty("No deliveries", Object.keys(query).length ? "None is like this." : "As soon as an event happens that somebody subscribed to, it appears here."),
      h("div", { class: "more" }, all.length > 0 && `${number(all.length)} shown`, cursor && button("Show more", more)));
    /** @type {NodeListOf<HTMLElement>} */ (body.querySelectorAll("tbody tr")).forEach((line, index) => {
      line.dataset.id = all[index].id;
      if (fresh.has(all[index].id)) line.classList.add("fresh");
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
    const fresh = found.data.filter(({ id }) => !rows.has(id));
    const changed = found.data.some((row) => JSON.stringify(rows.get(row.id)) !== JSON.stringify(row));
    if (!changed) return;
    // Where nothing of the page is known, there are more between it and what is shown: it begins anew.
    const isGap = fresh.length === found.data.length;
    const before = isGap ? [] : [...rows].slice(0, MOST_ROWS);
    if (isGap) cursor = found.pagination.nextCursor;
    rows.clear();
    for (const row of found.data) rows.set(row.id, row);
    for (const [id, row] of before) if (!rows.has(id)) rows.set(id, row);
    draw(new Set(fresh.map(({ id }) => id)));
  }
  let isLive = !to;
  try {
    await more();
  } catch (error) {
    if (error.code !== "too_many_subscriptions") throw error;
    isLive = false;
    show(body, empty("Choose a subscription", error.message));
  }
  // A list that begins somewhere else than now has nothing new.
  if (isLive) every(2500, body, refresh);
  return h("div", {}, heading("Deliveries", isLive && h("span", { class: "live" }, "live")), bar, body);
}

/**
 * A request as a command, with what is secret left to be filled in.
 * @param {Api.Attempt} attempt
 * @param {Api.Delivery} row
 */
function curl(attempt, row) {
  /** @param {string} text */
  const quote = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
  const headers = headerLines(attempt.headers ?? { "Content-Type": "application/json" });
  return [`curl -X ${row.method} ${quote(row.url)}`, ...headers.map((line) => `-H ${quote(line)}`), attempt.body !== undefined && `-d ${quote(attempt.body)}`].filter(Boolean).join(" \\\n  ");
}

/**
 * @param {Api.Delivery} row
 * @param {Api.Subscription | null} subscription
 */
function steps(row, subscription) {
  /**
   * @param {string} tone
   * @param {string} title
   * @param {Child[]} about
   */
  const step = (tone, title, ...about) => h("li", { class: tone }, h("strong", {}, title), ...about);
  const log = row.log ?? [];
  const attempts = log.slice(-6).map((attempt) => step(attempt.success ? "good" : "bad", `Attempt ${attempt.attempt}`,
    attempt.error ?? `answered ${attempt.statusCode}`, h("br"), time(attempt.at)));
  const left = log.length - attempts.length;
  const last = FINAL.includes(row.status)
    ? step(row.status === "delivered" ? "good" : row.status === "failed" ? "bad" : "", row.status, why(row))
    : step("warn", row.status, why(row), row.nextAttemptAt && [" next attempt ", time(row.nextAttemptAt)]);
  return h("ol", { class: "steps", "aria-label": "What happened" },
    step("good", row.test ? "Test" : "Event", row.event, h("br"), time(row.createdAt)),
    step("good", "Matched", subscription?.name ?? "a subscription that was deleted"),
    left > 0 && step("bad", `${number(left)} attempts before`),
    attempts, last);
}

/**
 * @param {Api.Attempt} attempt
 * @param {Api.Delivery} row
 * @param {boolean} isOpen
 */
function attemptView(attempt, row, isOpen) {
  const headers = attempt.headers && headerLines(attempt.headers).join("\n");
  return h("details", { class: "attempt", open: isOpen },
    h("summary", {}, badge(attempt.success ? "delivered" : "failed"), h("strong", {}, `Attempt ${attempt.attempt}`), attempt.generation > 0 && `of redelivery ${attempt.generation}`,
      h("span", {}, attempt.error ?? `answered ${attempt.statusCode}`), h("span", { class: "muted" }, `in ${milliseconds(attempt.responseTime)}`), h("span", { class: "muted" }, exactly(attempt.at))),
    h("div", { class: "columns" },
      h("div", { class: "list" }, h("h3", {}, "Request"), h("p", {}, h("code", {}, `${row.method} ${row.url}`)),
        headers ? code(headers, "Headers of the request") : h("p", { class: "muted" }, "The subscription was changed since: these headers are not known any more."),
        attempt.body !== undefined && code(attempt.body, "Body of the request"),
        h("div", {}, copyButton(() => curl(attempt, row), "Copy as curl"))),
      h("div", { class: "list" }, h("h3", {}, "Response"),
        attempt.error && h("p", { class: "problem" }, attempt.error),
        facts(["Status", attempt.statusCode], ["Took", milliseconds(attempt.responseTime)], ["Signed at", exactly(attempt.at)]),
        attempt.responseBody ? code(attempt.responseBody, "Body of the response") : h("p", { class: "muted" }, "No body."))));
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
      heading(row.event, badge(row.status, why(row)),
        api.may("admin") && FINAL.includes(row.status) && !row.test && button("Redeliver", redeliver, { class: "primary" })),
      section("What happened", steps(row, subscription),
        last && !last.success && h("p", { class: "problem" }, `The last attempt failed: ${last.error ?? `the receiver answered ${last.statusCode}`}. `, row.reason === "exhausted" && "No more attempts follow. Mend the receiver, then redeliver.")),
      section("Delivery", facts(
        ["Delivery", id(row.id)], ["Event", row.eventId ? link(`#/events/${row.eventId}`, id(row.eventId)) : "a test's example"],
        ["Subscription", link(`#/subscriptions/${row.subscriptionId}`, subscription?.name ?? id(row.subscriptionId))],
        ["To", long(row.url)], ["Attempts", number(row.attempts)], ["Next attempt", row.nextAttemptAt && time(row.nextAttemptAt)])),
      section("Attempts", log.length
        ? [...log].reverse().map((attempt, index) => attemptView(attempt, row, index === 0))
        : h("p", { class: "muted" }, "There was none yet.")));
  };
  draw();
  every(1500, body, async () => {
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
