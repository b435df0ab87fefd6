// Subscriptions: their health, and the actions on one.

import * as api from "./api.js";
import { sparkline } from "./chart.js";
import { deliveryTable } from "./deliveries.js";
import { h, show } from "./dom.js";
import { choice, form, integer, text } from "./form.js";
import {
  badge, button, code, confirm, counted, empty, facts, filterProblem, filterText, foldable, headerLines, heading, id, link, milliseconds,
  modal, navigate, notice, number, paged, percent, poll, redraw, section, showSecret, table, time,
} from "./ui.js";

/**
 * The status of a subscription: its state and its endpoint's health.
 * @param {Api.Subscription} row
 */
const statusBadge = (row) => {
  if (!row.enabled) return badge("disabled", row.disabledReason);
  if (row.health.breaker !== "closed") return badge("on hold", "Deliveries are paused until the endpoint recovers");
  if (row.health.failingSince) return badge("failing");
  return badge("enabled");
};

async function list() {
  /** @param {Api.Subscription[]} all */
  const rows = (all) => table("Subscriptions", [
    ["Name", (row) => link(`#/subscriptions/${row.id}`, row.name)],
    ["Status", statusBadge],
    ["Endpoint", (row) => h("code", { title: row.url }, row.url), "cut"],
    ["Events", (row) => row.events.join(", "), "cut"],
    ["Last 24 hours", (row) => sparkline(row.health.hours)],
    ["Success rate", (row) => percent(row.health.successRate), "right"],
    ["Last delivery", (row) => time(row.lastDelivery), "right"],
  ], all);
  const none = empty("No subscriptions yet", "A subscription sends the events that you choose to an endpoint.",
    api.hasRole("admin") && link("#/subscriptions/new", "Create the first one"));
  return h("div", {},
    heading("Subscriptions", api.hasRole("admin") && h("a", { class: "button primary", href: "#/subscriptions/new" }, "New subscription")),
    await paged((more) => api.page("/webhook-subscriptions", { pageSize: 50, ...more }), rows, none));
}

/**
 * The form that redelivers past deliveries, and its progress.
 * @param {Api.Subscription} found
 */
function recovery(found) {
  const result = h("p", { class: "muted", "aria-live": "polite" });
  const yesterday = new Date(Date.now() - 86400000 - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const from = text({ name: "from", label: "Events since", type: "datetime-local", required: true, value: yesterday });
  const status = choice({
    name: "status", label: "Status", value: "",
    choices: [
      ["", "failed and skipped"], ["failed", "failed"], ["skipped", "skipped"], ["cancelled", "cancelled"], ["delivered", "delivered"],
    ],
  });
  const selection = () => ({ from: new Date(from.read() ?? "").toISOString(), status: status.read() || undefined });
  const preview = async () => {
    if (!from.check()) return undefined;
    const { matched, matchedIsLowerBound } =
      await api.post(`/webhook-subscriptions/${found.id}/recover`, { ...selection(), dryRun: true });
    const count = `${matchedIsLowerBound ? "At least " : ""}${counted(matched, "delivery", "deliveries")}`;
    show(result, `${count} would be redelivered. Open deliveries are not counted: they continue on their own.`);
    return matched > 0 && count;
  };
  const ask = async () => {
    const count = await preview();
    if (!count) return;
    const text = `${count} to ${found.name}. An endpoint that has received one before gets it again, with the same ID.`;
    confirm("Redeliver?", text, "Redeliver", start);
  };
  const start = async () => {
    let run = /** @type {Api.Recovery} */ (await api.post(`/webhook-subscriptions/${found.id}/recover`, selection()));
    const bar = h("progress", { "aria-label": "Redelivered", max: Math.max(1, run.matched), value: run.requeued });
    const progress = h("p", { "aria-live": "polite" });
    const draw = () => {
      bar.value = run.status === "completed" ? bar.max : run.requeued;
      show(progress, badge(run.status), ` ${number(run.requeued)} of ${number(run.matched)} redelivered`);
    };
    draw();
    show(result, bar, progress);
    poll(1000, bar, async () => {
      if (run.status === "completed") return;
      run = await api.get(`/recoveries/${run.id}`);
      draw();
    });
  };
  const failed = link(`#/deliveries?subscription=${found.id}&status=failed`, "Show failed deliveries");
  return section("Recover",
    h("p", { class: "lead" }, "Redelivers deliveries that ended without success, at the endpoint's pace. Each keeps its ID."),
    form("Redeliver", [from, status], ask, button("Preview count", preview), failed), result);
}

/** @param {Api.Subscription} found */
async function showTest(found) {
  const types = await api.get("/event-types");
  const result = h("div", { class: "list", "aria-live": "polite" });
  const kind = choice({ name: "event", label: "Event", value: types[0].name, choices: types.map(({ name }) => [name, name]) });
  /** @param {Values} values */
  const send = async (values) => {
    const { success, error, data } = await api.postFull(`/webhook-subscriptions/${found.id}/test`, values);
    show(result,
      h("p", { class: success ? "" : "problem" }, badge(success ? "delivered" : "failed"), " ",
        data && success ? `Status ${data.statusCode} in ${milliseconds(data.responseTime)}` : error),
      data?.response && code(data.response, "Response body"),
      data && link(`#/deliveries/${data.deliveryId}`, "Show delivery"));
  };
  modal(`Test ${found.name}`,
    h("p", { class: "muted" }, "Sends the event type's example, in one attempt. It counts neither for health nor for the circuit breaker."),
    form("Send", [kind], send), result);
}

/**
 * @param {Api.Subscription} found
 * @param {() => unknown} done
 */
function rotateSecret(found, done) {
  const period = integer({ name: "gracePeriodSeconds", label: "Grace period, seconds", min: 0, max: 604800, value: 86400 });
  const dialog = modal("Rotate the signing secret",
    h("p", {}, "Deliveries are signed with a new secret from now on. During the grace period they are signed with the old one too."),
    form("Rotate", [period], async (values) => {
      const { signatureSecret } = await api.post(`/webhook-subscriptions/${found.id}/rotate-secret`, values);
      dialog.close();
      showSecret("New signing secret", "The endpoint needs it to verify deliveries.", signatureSecret ?? "");
      await done();
    }));
}

/**
 * A retry policy as text.
 * @param {Api.Subscription["retryPolicy"]} policy
 */
function retryText({ maxRetries, backoffType, backoffSeconds, maxBackoffSeconds }) {
  if (maxRetries === 0) return "None";
  const first = Math.min(backoffSeconds, maxBackoffSeconds);
  if (backoffType === "fixed") return `${maxRetries}, ${first} s apart`;
  return `${maxRetries}, ${backoffType} backoff from ${first} s to ${maxBackoffSeconds} s`;
}

/** @param {Api.Subscription} found */
function healthSection(found) {
  const { health } = found;
  const { p50, p99 } = health.responseTime;
  return section("Health",
    !found.enabled && h("p", { class: "warning" }, found.disabledReason ?? "Disabled: open deliveries are paused."),
    filterProblem(found.filterErrors),
    sparkline(health.hours),
    facts(["Success rate, 24 hours", percent(health.successRate)], ["Attempts, 24 hours", number(health.attempts)],
      ["Response time (p50)", health.attempts > 0 && `${milliseconds(p50)} · p99 ${milliseconds(p99)}`],
      ["Circuit breaker", badge(health.breaker)], ["Last success", health.lastSuccess && time(health.lastSuccess)],
      ["Failing since", health.failingSince && time(health.failingSince)], ["Last response", found.lastStatus]));
}

/** @param {Api.Subscription} found */
function specSection(found) {
  return section("Subscription", facts(
    ["Endpoint", found.url === "pull:" ? "pull: (the subscriber fetches deliveries)" : [found.method, " ", foldable(found.url)]],
    ["Events", found.events.join(", ")], ["Authentication", found.authType],
    ["Filters", found.filters.map(filterText).join(" and ")],
    ["Headers", headerLines(found.headers ?? {}).join(", ")],
    ["Retries", retryText(found.retryPolicy)],
    ["Timeout", milliseconds(found.timeout)], ["Rate limit", found.rateLimitPerSecond && `${found.rateLimitPerSecond} per second`],
    ["ID", id(found.id)]));
}

/** @param {string} key */
async function one(key) {
  let found = await api.get(`/webhook-subscriptions/${key}`);
  const body = h("div", { class: "stack" });
  const [head, about] = [h("div", {}), h("div", { class: "columns" })];
  const reload = async () => { found = await api.get(`/webhook-subscriptions/${key}`); draw(); };
  /** @param {boolean} enabled */
  const setEnabled = (enabled) => async () => {
    await api.patch(`/webhook-subscriptions/${key}`, { enabled });
    notice(enabled ? "Enabled: paused deliveries resume" : "Disabled: open deliveries are paused");
    await reload();
  };
  const remove = async () => {
    await api.remove(`/webhook-subscriptions/${key}`);
    navigate("#/subscriptions");
  };
  const confirmRemoval = () =>
    confirm("Delete the subscription?", `${found.name} gets no more events, and its open deliveries are cancelled.`, "Delete", remove);
  const actions = () => api.hasRole("admin") && [
    found.url !== "pull:" && button("Test", () => showTest(found), { class: "primary" }),
    h("a", { class: "button", href: `#/subscriptions/${key}/edit` }, "Edit"),
    found.enabled ? button("Disable", setEnabled(false)) : button("Enable", setEnabled(true)),
    found.authType === "signature" && button("Rotate secret", () => rotateSecret(found, reload)),
    button("Delete", confirmRemoval, { class: "danger" }),
  ];
  const draw = () => {
    redraw(head, heading(found.name, statusBadge(found), actions()));
    show(about, healthSection(found), specSection(found));
  };
  draw();
  const names = new Map([[key, found.name]]);
  const recent = await paged((more) => api.page(`/webhook-subscriptions/${key}/deliveries`, { pageSize: 10, ...more }),
    (rows) => deliveryTable(rows, names), h("p", { class: "muted" }, "No deliveries yet"));
  show(body, head, about, api.hasRole("admin") && recovery(found), section("Deliveries", recent));
  return body;
}

/** @param {string[]} parts */
export async function render(parts) {
  if (!parts.length) return list();
  if (parts[0] === "new") return (await import("./subscription_form.js")).create();
  if (parts[1] === "edit") return (await import("./subscription_form.js")).edit(parts[0]);
  return one(parts[0]);
}
