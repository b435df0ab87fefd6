// Subscriptions: how their receivers do, and everything that can be done with one.

import * as api from "./api.js";
import { sparkline } from "./chart.js";
import { deliveryTable } from "./deliveries.js";
import { h, show } from "./dom.js";
import { choice, form, integer, text } from "./form.js";
import { badge, button, code, confirm, counted, empty, every, facts, filterProblem, filterText, go, headerLines, heading, id, link, long, milliseconds, modal, notice, number, paged, percent, redraw, secretOnce, section, table, time } from "./ui.js";

/**
 * How it stands, in a word.
 * @param {Api.Subscription} row
 */
const standing = (row) => {
  if (!row.enabled) return badge("disabled", row.disabledReason);
  if (row.health.breaker !== "closed") return badge("down", "The receiver is down; deliveries wait until it is back.");
  if (row.health.failingSince) return badge("failing");
  return badge("enabled");
};

async function list() {
  /** @param {Api.Subscription[]} all */
  const rows = (all) => table("Subscriptions", [
    ["Name", (row) => link(`#/subscriptions/${row.id}`, row.name)],
    ["State", standing],
    ["To", (row) => h("code", { title: row.url }, row.url), "cut"],
    ["Events", (row) => row.events.join(", "), "cut"],
    ["Last 24 hours", (row) => sparkline(row.health.hours)],
    ["Success", (row) => percent(row.health.successRate), "right"],
    ["Last", (row) => time(row.lastDelivery), "right"],
  ], all);
  return h("div", {},
    heading("Subscriptions", api.may("admin") && h("a", { class: "button primary", href: "#/subscriptions/new" }, "New subscription")),
    await paged((more) => api.page("/webhook-subscriptions", { pageSize: 50, ...more }), rows,
      empty("No subscriptions", "A subscription says who is told of which events, where, and how hard we try.", api.may("admin") && link("#/subscriptions/new", "Make the first"))));
}

/**
 * Which deliveries there are to try, and how far it is with them.
 * @param {Api.Subscription} found
 */
function recovery(found) {
  const count = h("p", { class: "muted", "aria-live": "polite" });
  const local = new Date(Date.now() - 86400000 - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const from = text({ name: "from", label: "Events since", type: "datetime-local", required: true, value: local });
  const status = choice({ name: "status", label: "Which", value: "", choices: [["", "failed and skipped"], ["failed", "failed"], ["skipped", "skipped"], ["cancelled", "cancelled"], ["delivered", "delivered, once more"]] });
  const wanted = () => ({ from: new Date(from.read() ?? "").toISOString(), status: status.read() || undefined });
  const dry = async () => {
    if (!from.check()) return;
    const { matched, matchedIsLowerBound } = await api.post(`/webhook-subscriptions/${found.id}/recover`, { ...wanted(), dryRun: true });
    const told = `${matchedIsLowerBound ? "More than " : ""}${counted(matched, "delivery", "deliveries")}`;
    show(count, `${told} would be sent again. What still waits or is tried again is not counted: it goes on by itself.`);
    return matched > 0 && told;
  };
  const ask = async () => {
    const told = await dry();
    if (told) confirm("Send them again?", `${told} to ${found.name}. A receiver that got one before gets it twice, with the same id.`, "Send them", start);
  };
  const start = async () => {
    let run = /** @type {Api.Recovery} */ (await api.post(`/webhook-subscriptions/${found.id}/recover`, wanted()));
    const bar = h("progress", { "aria-label": "Sent again", max: Math.max(1, run.matched), value: run.requeued });
    const told = h("p", { "aria-live": "polite" });
    const draw = () => { bar.value = run.status === "completed" ? bar.max : run.requeued; show(told, badge(run.status), ` ${number(run.requeued)} of ${number(run.matched)} sent again.`); };
    draw();
    show(count, bar, told);
    every(1000, bar, async () => {
      if (run.status === "completed") return;
      run = await api.get(`/recoveries/${run.id}`);
      draw();
    });
  };
  const wantedForm = form("Send them again", [from, status], ask, button("Count them", dry), link(`#/deliveries?subscription=${found.id}&status=failed`, "Look at what failed"));
  return section("Recover", h("p", { class: "lead" }, "Sends again what ended without being delivered, at the receiver's own pace. Each keeps its id."), wantedForm, count);
}

/** @param {Api.Subscription} found */
async function tryOut(found) {
  const types = await api.get("/event-types");
  const answer = h("div", { class: "list", "aria-live": "polite" });
  const kind = choice({ name: "event", label: "Event", value: types[0].name, choices: types.map(({ name }) => [name, name]) });
  modal(`Test ${found.name}`, h("p", { class: "muted" }, "One attempt at once, with the event's example. It counts for nothing else."),
    form("Send", [kind], async (values) => {
      const tried = await api.postWhole(`/webhook-subscriptions/${found.id}/test`, values);
      show(answer,
        h("p", { class: tried.success ? "" : "problem" }, badge(tried.success ? "delivered" : "failed"), " ", tried.data && tried.success ? `answered ${tried.data.statusCode} in ${milliseconds(tried.data.responseTime)}` : tried.error),
        tried.data?.response && code(tried.data.response, "The receiver's answer"),
        tried.data && link(`#/deliveries/${tried.data.deliveryId}`, "Look at the request"));
    }), answer);
}

/**
 * @param {Api.Subscription} found
 * @param {() => unknown} done
 */
function rotate(found, done) {
  const dialog = modal("Rotate the signing secret",
    h("p", {}, "A new secret signs from now on. The old one signs beside it for a while, so that the receiver can change over."),
    form("Rotate", [integer({ name: "gracePeriodSeconds", label: "How long the old one signs too, in seconds", min: 0, max: 604800, value: 86400 })], async (values) => {
      const { signatureSecret } = await api.post(`/webhook-subscriptions/${found.id}/rotate-secret`, values);
      dialog.close();
      secretOnce("The new signing secret", "Give it to the receiver.", signatureSecret ?? "");
      await done();
    }));
}

/** @param {string} key */
async function one(key) {
  let found = await api.get(`/webhook-subscriptions/${key}`);
  const body = h("div", { class: "stack" });
  const [head, about] = [h("div", {}), h("div", { class: "columns" })];
  const reload = async () => { found = await api.get(`/webhook-subscriptions/${key}`); draw(); };
  /** @param {boolean} enabled */
  const enable = (enabled) => async () => {
    await api.patch(`/webhook-subscriptions/${key}`, { enabled });
    notice(enabled ? "Enabled: what waited goes on" : "Disabled: what is open waits");
    await reload();
  };
  const isPull = found.url === "pull:";
  const actions = () => api.may("admin") && [
    !isPull && button("Test", () => tryOut(found), { class: "primary" }),
    h("a", { class: "button", href: `#/subscriptions/${key}/edit` }, "Edit"),
    found.enabled ? button("Disable", enable(false)) : button("Enable", enable(true)),
    found.authType === "signature" && button("Rotate secret", () => rotate(found, reload)),
    button("Delete", () => confirm("Delete the subscription?", `${found.name} gets nothing any more; what is open is cancelled.`, "Delete", async () => { await api.remove(`/webhook-subscriptions/${key}`); go("#/subscriptions"); }), { class: "danger" }),
  ];
  const draw = () => {
    const { health, retryPolicy: policy } = found;
    redraw(head, heading(found.name, standing(found), actions()));
    show(about,
      section("Health", !found.enabled && h("p", { class: "warning" }, found.disabledReason ?? "It is disabled: deliveries wait."),
        filterProblem(found.filterErrors),
        sparkline(health.hours),
        facts(["Success rate, 24 hours", percent(health.successRate)], ["Attempts, 24 hours", number(health.attempts)], ["Time of an attempt", health.attempts > 0 && `${milliseconds(health.responseTime.p50)} · p99 ${milliseconds(health.responseTime.p99)}`],
          ["Breaker", badge(health.breaker)], ["Last success", health.lastSuccess && time(health.lastSuccess)], ["Failing since", health.failingSince && time(health.failingSince)], ["Last answer", found.lastStatus])),
      section("Subscription", facts(
        ["To", isPull ? "whoever fetches, as stella listen does" : [found.method, " ", long(found.url)]], ["Events", found.events.join(", ")], ["Proves itself by", found.authType],
        ["Filters", found.filters.map(filterText).join(" and ")],
        ["Headers", headerLines(found.headers ?? {}).join(", ")],
        ["Retries", `${policy.maxRetries}, ${policy.backoffType} from ${policy.backoffSeconds} s to ${policy.maxBackoffSeconds} s`],
        ["Timeout", milliseconds(found.timeout)], ["At most", found.rateLimitPerSecond && `${found.rateLimitPerSecond} a second`], ["Id", id(found.id)])));
  };
  draw();
  const names = new Map([[key, found.name]]);
  const recent = await paged((more) => api.page(`/webhook-subscriptions/${key}/deliveries`, { pageSize: 10, ...more }), (rows) => deliveryTable(rows, names),
    h("p", { class: "muted" }, "None yet."));
  show(body, head, about, api.may("admin") && recovery(found), section("Deliveries", recent));
  return body;
}

/** @param {string[]} parts */
export async function render(parts) {
  if (!parts.length) return list();
  if (parts[0] === "new") return (await import("./subscription_form.js")).create();
  if (parts[1] === "edit") return (await import("./subscription_form.js")).edit(parts[0]);
  return one(parts[0]);
}
