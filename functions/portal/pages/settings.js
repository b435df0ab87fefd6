// Keys and links; for the operator tenants and dead letters; and what this service is.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, form, integer, text } from "./form.js";
import { badge, button, code, confirm, copyable, empty, facts, heading, id, modal, notice, number, paged, redraw, secretOnce, section, table, time } from "./ui.js";

/** @type {[string, string][]} */
const ROLES = [["viewer", "viewer: reads"], ["publisher", "publisher: also publishes events"], ["admin", "admin: everything in its tenant"]];

/**
 * @param {"/api-keys" | `/tenants/${string}/api-keys`} path
 * @param {() => unknown} done
 */
function keyForm(path, done) {
  return form("Make a key", [
    text({ name: "name", label: "Name", required: true, placeholder: "the orchestrator" }),
    choice({ name: "role", label: "Role", choices: ROLES }),
  ], async (values) => {
    const made = await api.post(path, values);
    secretOnce("The new key", `${made.name}, ${made.role}.`, made.key ?? "");
    await done();
  });
}

async function keys() {
  const list = h("div", {});
  const own = api.who()?.keyId;
  /**
   * @param {Api.ApiKey} row
   * @param {Api.ApiKey[]} all
   */
  const revoke = (row, all) => {
    const isLast = row.role === "admin" && all.filter(({ role }) => role === "admin").length === 1;
    const text = [`${row.name} works no more within 30 seconds, nor does any session that it opened.`,
      row.id === own && " This session is one of those: it ends now.", isLast && " It is the last admin key that is shown: without one, only the operator can make another."];
    confirm("Revoke the key?", text, "Revoke", async () => {
      await api.remove(`/api-keys/${row.id}`);
      if (row.id !== own) return draw();
      // It would work for some seconds more.
      await api.signOut();
      location.reload();
    });
  };
  const draw = async () => redraw(list, await paged((more) => api.page("/api-keys", { pageSize: 50, ...more }), (rows) => table("API keys", [
    ["Name", (row) => [h("strong", {}, row.name), row.id === own && h("span", { class: "muted" }, " this session's")]],
    ["Role", (row) => badge(row.role)],
    ["Id", (row) => id(row.id), "cut"],
    ["Made", (row) => time(row.createdAt)],
    ["Actions", (row) => button("Revoke", () => revoke(row, rows), { class: "small", "aria-label": `Revoke ${row.name}` }), "right"],
  ], rows), empty("No keys", "There is none.")));
  await draw();
  return section("API keys", list, h("details", {}, h("summary", {}, "New key"), keyForm("/api-keys", draw)));
}

const links = () => section("Links to the portal", h("p", { class: "lead" }, "A link opens a session of 12 hours with your role, once. It is for somebody who is to look and has no key."),
  form("Make a link", [integer({ name: "ttlSeconds", label: "Valid for, in seconds", min: 60, max: 86400, value: 3600 })], async (values) => {
    const { url, expiresAt, role } = await api.post("/portal-links", values);
    modal("A link to the portal", h("p", {}, "Whoever uses it first is signed in as ", h("strong", {}, role), "."), copyable(url), h("p", { class: "muted" }, "It can be used once, until ", time(expiresAt), "."));
  }));

async function tenants() {
  const list = h("div", {});
  const draw = async () => show(list, await paged((more) => api.page("/tenants", { pageSize: 50, ...more }), (rows) => table("Tenants", [
    ["Name", (row) => h("strong", {}, row.name)],
    ["Id", (row) => id(row.id), "cut"],
    ["Made", (row) => time(row.createdAt)],
    ["Actions", (row) => button("New key", () => modal(`A key of ${row.name}`, keyForm(`/tenants/${row.id}/api-keys`, () => {})), { class: "small", "aria-label": `New key of ${row.name}` }), "right"],
  ], rows), empty("No tenants", "Each tenant has its own components, configs, subscriptions and keys.")));
  await draw();
  return section("Tenants", list, h("details", {}, h("summary", {}, "New tenant"), form("Make a tenant", [text({ name: "name", label: "Name", required: true })], async (values) => {
    await api.post("/tenants", values);
    await draw();
  })));
}

async function deadLetters() {
  const found = await api.get("/dead-letters");
  const sample = found.sample.map((letter) => h("details", { class: "attempt" }, h("summary", {}, badge(letter.queue), time(letter.sentAt), h("span", { class: "muted" }, `received ${number(letter.receiveCount)} times`)), code(letter.body ?? "", "The message")));
  return section("Dead letters", h("p", { class: "lead" }, "What the service's own machinery could not handle. They are moved back once its cause is mended."),
    found.approximateMessages ? [facts(...found.queues.map(({ queue, approximateMessages }) => /** @type {[string, string]} */ ([queue, number(approximateMessages)]))), sample, h("div", {}, button("Move them back", async () => { await api.post("/dead-letters/redrive"); notice("They are being moved back"); }))] : h("p", { class: "muted" }, "There are none."));
}

export async function render() {
  const { role, tenant, expiresAt } = /** @type {Api.PortalSession} */ (api.who());
  const meta = await api.get("/meta");
  const isOperator = role === "operator";
  return h("div", {},
    heading("Settings"),
    isOperator && [await tenants(), await deadLetters()],
    api.may("admin") && await keys(),
    !isOperator && links(),
    section("This service", facts(["Version", meta.version], ["Deliveries come from", meta.egressAddresses.join(", ") || "any address of the region"], ["Tenant", tenant && [tenant.name, " ", id(tenant.id ?? "")]], ["Your role", role], ["The session ends", time(expiresAt)])));
}
