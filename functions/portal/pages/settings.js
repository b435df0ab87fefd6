// Settings: API keys and portal links; for the operator, tenants and dead letters; and the service's version.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, form, integer, text } from "./form.js";
import {
  badge, button, code, confirm, copyable, counted, empty, facts, heading, id, modal, notice, number, paged, redraw, section, showSecret,
  table, time,
} from "./ui.js";

/** @type {[Api.ApiKey["role"], string][]} */
const ROLES = [
  ["viewer", "viewer: reads"], ["publisher", "publisher: reads, publishes events"], ["admin", "admin: everything in its tenant"],
];

/**
 * @param {"/api-keys" | `/tenants/${string}/api-keys`} path
 * @param {() => unknown} done
 */
function keyForm(path, done) {
  return form("Create key", [
    text({ name: "name", label: "Name", required: true, placeholder: "orchestrator" }),
    choice({ name: "role", label: "Role", choices: ROLES }),
  ], async (values) => {
    const created = await api.post(path, values);
    showSecret("API key created", `${created.name}, ${created.role}`, created.key ?? "");
    await done();
  });
}

async function keys() {
  const list = h("div", {});
  const own = api.currentSession()?.keyId;
  /**
   * @param {Api.ApiKey} row
   * @param {Api.ApiKey[]} all
   */
  const revoke = (row, all) => {
    const isLast = row.role === "admin" && all.filter(({ role }) => role === "admin").length === 1;
    const text = [`${row.name} and the sessions opened with it stop working within 30 seconds.`,
      row.id === own && " This session is one of them: it ends now.",
      isLast && " It is the last admin key in the list: without one, only the operator can create another."];
    confirm("Revoke the key?", text, "Revoke", async () => {
      await api.remove(`/api-keys/${row.id}`);
      if (row.id !== own) return draw();
      // The session would keep working for up to 30 seconds.
      await api.signOut();
      location.reload();
    });
  };
  /** @param {Api.ApiKey[]} rows */
  const keyTable = (rows) => table("API keys", [
    ["Name", (row) => [h("strong", {}, row.name), row.id === own && h("span", { class: "muted" }, " this session's")]],
    ["Role", (row) => badge(row.role)],
    ["ID", (row) => id(row.id), "cut"],
    ["Created", (row) => time(row.createdAt)],
    ["Actions", (row) => button("Revoke", () => revoke(row, rows), { class: "small", "aria-label": `Revoke ${row.name}` }), "right"],
  ], rows);
  const none = empty("No keys yet", "Programs call the API with a key.");
  const draw = async () => redraw(list, await paged((more) => api.page("/api-keys", { pageSize: 50, ...more }), keyTable, none));
  await draw();
  return section("API keys", list, h("details", {}, h("summary", {}, "New key"), keyForm("/api-keys", draw)));
}

function links() {
  const validity = integer({ name: "ttlSeconds", label: "Valid for, seconds", min: 60, max: 86400, value: 3600 });
  return section("Portal links",
    h("p", { class: "lead" }, "A link signs one person in without a key, for 12 hours, with your role."),
    form("Create link", [validity], async (values) => {
      const { url, expiresAt, role } = await api.post("/portal-links", values);
      modal("Portal link", h("p", {}, "The first person to open it is signed in with the role ", h("strong", {}, role), "."),
        copyable(url), h("p", { class: "muted" }, "Works once, until ", time(expiresAt), "."));
    }));
}

async function tenants() {
  const list = h("div", {});
  /** @param {Api.Tenant} row */
  const newKey = (row) => modal(`New key for ${row.name}`, keyForm(`/tenants/${row.id}/api-keys`, () => {}));
  /** @param {Api.Tenant[]} rows */
  const tenantTable = (rows) => table("Tenants", [
    ["Name", (row) => h("strong", {}, row.name)],
    ["ID", (row) => id(row.id), "cut"],
    ["Created", (row) => time(row.createdAt)],
    ["Actions", (row) => button("New key", () => newKey(row), { class: "small", "aria-label": `New key for ${row.name}` }), "right"],
  ], rows);
  const none = empty("No tenants yet", "Each tenant has its own components, inbound webhooks, subscriptions and keys.");
  const draw = async () => show(list, await paged((more) => api.page("/tenants", { pageSize: 50, ...more }), tenantTable, none));
  await draw();
  const create = form("Create tenant", [text({ name: "name", label: "Name", required: true })], async (values) => {
    await api.post("/tenants", values);
    await draw();
  });
  return section("Tenants", list, h("details", {}, h("summary", {}, "New tenant"), create));
}

async function deadLetters() {
  const found = await api.get("/dead-letters");
  const sample = found.sample.map((letter) => h("details", { class: "attempt" },
    h("summary", {}, badge(letter.queue), time(letter.sentAt),
      h("span", { class: "muted" }, `received ${counted(letter.receiveCount, "time", "times")}`)),
    code(letter.body ?? "", "Message body")));
  /** @type {[string, string][]} */
  const queues = found.queues.map(({ queue, approximateMessages }) => [queue, number(approximateMessages)]);
  const redrive = async () => {
    await api.post("/dead-letters/redrive");
    notice("Redrive started");
  };
  return section("Dead letters",
    h("p", { class: "lead" }, "Messages that the service itself could not process. Redrive them once the cause is fixed."),
    found.approximateMessages
      ? [facts(...queues), sample,
        h("div", {}, button("Redrive", redrive))]
      : h("p", { class: "muted" }, "No dead letters"));
}

export async function render() {
  const { role, tenant, expiresAt } = /** @type {Api.PortalSession} */ (api.currentSession());
  const meta = await api.get("/meta");
  const isOperator = role === "operator";
  return h("div", {},
    heading("Settings"),
    isOperator && [await tenants(), await deadLetters()],
    api.hasRole("admin") && await keys(),
    !isOperator && links(),
    section("Service", facts(["Version", meta.version],
      ["Egress addresses", meta.egressAddresses.join(", ") || "Any address of the region"],
      ["Tenant", tenant && [tenant.name, " ", id(tenant.id ?? "")]], ["Your role", role], ["Session expires", time(expiresAt)])));
}
