// Webhook configs: the address to paste, what came in, what a body would do.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { area, choice, eventFilters, form, integer, json, lines, part, text, toggle } from "./form.js";
import { SENDERS, guide, senderOf } from "./setup.js";
import { badge, button, code, confirm, copyable, counted, empty, every, exactly, facts, filterProblem, filterText, go, headerLines, heading, id, link, modal, notice, paged, section, table, time } from "./ui.js";

/** @type {[type: string, label: string][]} */
const TYPES = [["registry-push", "registry"], ["ci-pipeline", "CI system"], ["github-app", "GitHub"], ["gitlab-webhook", "GitLab"], ["generic", "other"]];
/** @param {Api.Receipt} row */
const word = (row) => row.action ?? "handshake";

async function list() {
  /** @param {Api.WebhookConfig[]} all */
  const rows = (all) => table("Webhook configs", [
    ["Name", (row) => link(`#/inbound/${row.id}`, row.name)],
    ["Sender", (row) => senderOf(row)?.[0] ?? row.provider],
    ["Type", (row) => row.type],
    ["State", (row) => badge(row.enabled ? "enabled" : "disabled")],
    ["Address", (row) => h("code", { title: row.url }, row.url), "cut"],
    ["Made", (row) => time(row.createdAt), "right"],
  ], all);
  return h("div", {},
    heading("Inbound", api.may("admin") && h("a", { class: "button primary", href: "#/inbound/new" }, "New address")),
    await paged((more) => api.page("/webhook-configs", { pageSize: 50, ...more }), rows,
      empty("Nobody can tell us anything yet", "Registries, CI systems and code hosts each get an address of their own, which says how they prove themselves.", api.may("admin") && link("#/inbound/new", "Make the first"))));
}

/**
 * Whether its address ends in a token, because the sender can prove itself by nothing else.
 * @param {Api.WebhookConfig} config
 */
const carriesToken = (config) => !config.authentication && !config.signatureHeader && senderOf(config)?.[4] === false;

const random = () => [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function create() {
  /** @type {Choice[]} */
  const groups = TYPES.map(([type, label]) => [label, SENDERS.flatMap((sender, index) => (sender[1] === type ? [[String(index), sender[0]]] : []))]);
  const secret = text({ name: "secret", label: "Secret", value: random(), help: "What the sender signs with or says. Copy it into the sender; it is not shown again." });
  const mapping = json({ name: "mapping", label: "Mapping", rows: 6, value: { kind: "artifact.pushed", repository: "$.repository", tag: "$.tag" }, help: "Where in its JSON the members of an event are. With {} it posts in the normalised form." });
  /** @param {string} index */
  const choose = (index) => {
    const [, , provider, , signs] = SENDERS[Number(index)];
    secret.element.hidden = !signs;
    secret.write(provider === "azure-devops" ? `stella:${random()}` : random());
    mapping.element.hidden = provider !== "generic";
    account.element.hidden = audience.element.hidden = provider !== "gar";
  };
  const account = text({ name: "account", label: "Service account", placeholder: "pusher@my-project.iam.gserviceaccount.com", help: "Whose token Pub/Sub sends. Without one, the address carries a token instead." });
  const audience = text({ name: "audience", label: "Audience", value: "stella", help: "As the Pub/Sub subscription's authentication says it." });
  const sender = choice({ name: "sender", label: "Sender", choices: groups, value: "0", onchange: choose });
  choose("0");
  const controls = [sender,
    text({ name: "name", label: "Name", required: true, placeholder: "myorg at Docker Hub" }), secret, account, audience, mapping,
    part("More", false,
      lines({ name: "repositories", label: "Repositories", placeholder: "myorg/*", help: "What it may speak for, one a line; without any, everything." }),
      eventFilters([], "$.tag"))];
  return h("div", {}, heading("New address for a sender"), h("div", { class: "card" }, form("Make it", controls, async ({ sender, mapping, account, audience, ...values }) => {
    const [, type, provider] = SENDERS[sender];
    if (account) values.authentication = { type: "oidc", issuer: "https://accounts.google.com", audience, claims: { email: account, email_verified: true } };
    const mapped = mapping && Object.keys(mapping).length ? { mapping } : {};
    const made = await api.post("/webhook-configs", { ...values, ...mapped, type, provider });
    go(`#/inbound/${made.id}`, () => pasteOnce(made, values.secret));
  }, link("#/inbound", "Cancel"))));
}

/**
 * What is to be pasted; the token of an address and a secret are told this once.
 * @param {Api.WebhookConfig} config
 * @param {string} [secret]
 */
function pasteOnce(config, secret) {
  modal("Paste this into the sender", h("h3", {}, "Address"), copyable(config.url), secret && [h("h3", {}, "Secret"), copyable(secret)],
    h("p", { class: "muted" }, "A token in the address and the secret are shown this once. Where to paste them is said on the page behind."));
}

/** @param {string} key */
async function edit(key) {
  const found = await api.get(`/webhook-configs/${key}`);
  const controls = [
    text({ name: "name", label: "Name", required: true, value: found.name }),
    text({ name: "secret", label: "Secret", placeholder: "as it is", help: "With another one, the old one is valid for 24 hours more." }),
    lines({ name: "repositories", label: "Repositories", value: found.repositories, placeholder: "myorg/*", help: "What it may speak for, one a line; without any, everything." }),
    eventFilters(found.filters, "$.tag"),
    found.provider === "generic" && json({ name: "mapping", label: "Mapping", rows: 6, value: found.mapping ?? {} }),
    toggle({ name: "enabled", label: "Enabled", value: found.enabled, help: "Without, the address answers 404." }),
  ].filter((one) => one !== false);
  return h("div", {}, heading(found.name), h("div", { class: "card" }, form("Save", controls, async (values) => {
    if (values.mapping && !Object.keys(values.mapping).length) values.mapping = null;
    await api.patch(`/webhook-configs/${key}`, values);
    notice("Saved");
    go(`#/inbound/${key}`);
  }, link(`#/inbound/${key}`, "Cancel"))));
}

/**
 * Shows what a body would do, without doing it.
 * @param {Api.WebhookConfig} config
 * @param {Map<string, string>} names
 */
function preview(config, names) {
  const answer = h("div", { class: "list", "aria-live": "polite" });
  const body = area({ name: "body", label: "Body", rows: 10, required: true, placeholder: "{…}", help: "What the sender would post, as it is." });
  const headers = lines({ name: "headers", label: "Headers", rows: 2, placeholder: "X-GitHub-Event: push", help: "As Name: value, one a line, where the sender's matter." });
  /** @param {Values} values */
  const ask = async (values) => {
    show(answer);
    const said = Object.fromEntries(values.headers.map((/** @type {string} */ line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]));
    const told = await api.post(`/webhook-configs/${config.id}/preview`, { headers: said, body: values.body });
    const answered = /** @type {Partial<Api.Answer>} */ (told.answer ?? {});
    show(answer, told.events.length === 0 && h("p", {}, badge(answered.action ?? "ignored"), " ", answered.reason ?? "There is no event in it."), told.events.map((event, index) => {
      const decision = told.decisions[index];
      return h("div", { class: "card" },
        h("p", {}, badge(decision.triggers.length ? "processed" : decision.versionAdded ? "processed" : "ignored"), " ", h("strong", {}, event.kind), " ", event.repository, event.tag && `:${event.tag}`),
        facts(["Filters", decision.filtered ? "do not want it" : "let it pass"], ["Components", decision.componentIds.map((key) => names.get(key) ?? key).join(", ") || "none"], ["A new version", decision.versionAdded ? "yes" : "no"],
          ["Releases", decision.triggers.map(({ name, releaseName }) => `${releaseName} (${name})`).join(", ") || "none"], ["Why not", decision.triggers.length === 0 && decision.reason]),
        h("details", {}, h("summary", {}, "Normalised event"), code(event, "Normalised event")));
    }));
  };
  return section("Preview", h("p", { class: "lead" }, "What a body would do: nothing is stored, and nobody is told."), form("Preview it", [body, headers], ask), answer);
}

/**
 * @param {string} config
 * @returns {(rows: Api.Receipt[]) => Element}
 */
const receiptTable = (config) => (rows) => table("Receipts", [
  ["Answer", (row) => badge(word(row))],
  ["What", (row) => [row.repository, row.tag && `:${row.tag}`, row.kind && row.kind !== "artifact.pushed" && h("span", { class: "muted" }, ` ${row.kind}`)], "wrap"],
  ["Why", (row) => row.reason ?? "", "wrap"],
  ["Receipt", (row) => link(`#/inbound/${config}/receipts/${row.id}`, id(row.id)), "cut"],
  ["From", (row) => row.ip ?? "–"],
  ["When", (row) => time(row.receivedAt), "right"],
], rows);

/** @param {Api.WebhookConfig} config */
function rotateToken(config) {
  const dialog = modal("Another token for the address",
    h("p", {}, "The old address works beside the new one for a while."),
    form("Rotate", [integer({ name: "gracePeriodSeconds", label: "How long, in seconds", min: 0, max: 604800, value: 86400 })], async (values) => {
      const made = await api.post(`/webhook-configs/${config.id}/rotate-token`, values);
      dialog.close();
      pasteOnce(made);
    }));
}

/** @param {string} key */
async function one(key) {
  const [config, components] = await Promise.all([api.get(`/webhook-configs/${key}`), api.all("/components")]);
  const names = new Map(components.map(({ id, name }) => [id, name]));
  const sender = senderOf(config);
  const rejected = config.rejectedLast24h ?? 0;
  const log = h("div", {});
  /** @type {string | undefined} */
  let newest;
  const load = async () => {
    const list = await paged(async (more) => {
      const page = await api.page(`/webhook-configs/${key}/receipts`, { pageSize: 20, ...more });
      if (!more.cursor) newest = page.data[0]?.id;
      return page;
    }, receiptTable(key), h("p", { class: "muted" }, "Nothing came in yet."));
    show(log, list);
  };
  await load();
  every(3000, log, async () => {
    const { data } = await api.page(`/webhook-configs/${key}/receipts`, { pageSize: 1 });
    if (data[0]?.id !== newest) await load();
  });
  return h("div", {},
    heading(config.name, badge(config.enabled ? "enabled" : "disabled"), api.may("admin") && [
      h("a", { class: "button", href: `#/inbound/${key}/edit` }, "Edit"),
      carriesToken(config) && button("Rotate token", () => rotateToken(config)),
      button("Delete", () => confirm("Delete the config?", `${config.name}: its address answers 404 within a minute.`, "Delete", async () => { await api.remove(`/webhook-configs/${key}`); go("#/inbound"); }), { class: "danger" })]),
    rejected > 0 && h("p", { class: "warning" }, `${counted(rejected, "request", "requests")} did not prove themselves in the last 24 hours: is the secret in the sender the one that is here?`),
    filterProblem(config.filterErrors),
    section("Address", carriesToken(config)
      ? [h("p", {}, h("code", {}, `${config.url}/…`)), h("p", { class: "muted" }, "It ends in a token, which was shown once. Rotate the token to get an address to paste again.")]
      : copyable(config.url),
      facts(["Sender", sender?.[0]], ["Type", config.type], ["Repositories", config.repositories.join(", ")], ["Filters", config.filters.map(filterText).join(" and ")], ["Id", id(config.id)])),
    section("What came in", log),
    api.may("admin") && preview(config, names),
    sender && section(`How ${sender[0]} is set up`, await guide(sender)));
}

/**
 * @param {string} key
 * @param {string} number_
 */
async function receipt(key, number_) {
  const found = await api.get(`/webhook-configs/${key}/receipts/${number_}`);
  const replay = async () => {
    const answer = await api.postWhole(`/webhook-configs/${key}/receipts/${number_}/replay`);
    const told = /** @type {Partial<Api.Answer>} */ (answer.data);
    notice(`Replayed: ${told.action ?? "done"}`);
    if (told.receiptId) go(`#/inbound/${key}/receipts/${told.receiptId}`);
  };
  return h("div", {},
    heading("Receipt", badge(word(found)), api.may("admin") && found.replayable && button("Replay", replay, { class: "primary" })),
    section("Receipt", facts(["Config", link(`#/inbound/${key}`, id(key))], ["Received", exactly(found.receivedAt)], ["From", found.ip], ["Why", found.reason], ["Replay of", found.replayOf && link(`#/inbound/${key}/receipts/${found.replayOf}`, id(found.replayOf))], ["Id", id(found.id)])),
    section("What happened", h("ol", { class: "guide" }, found.steps?.map((step) => h("li", {}, step)))),
    h("div", { class: "columns" },
      section("Request", code(headerLines(found.headers ?? {}).join("\n"), "Headers of the request"), code(found.body ?? "", "Body of the request")),
      section("Answer", code(found.answer ?? {}, "What the sender was told"))));
}

/** @param {string[]} parts */
export function render(parts) {
  if (!parts.length) return list();
  if (parts[0] === "new") return create();
  if (parts[1] === "edit") return edit(parts[0]);
  return parts[1] === "receipts" ? receipt(parts[0], parts[2]) : one(parts[0]);
}
