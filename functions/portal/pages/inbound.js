// Inbound webhooks (webhook configs): their URLs, the received requests, and a preview of a request.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { area, choice, eventFilters, form, integer, json, lines, part, text, toggle } from "./form.js";
import { guide, guidePage, hasSecret, senderOf, senders } from "./setup.js";
import {
  badge, button, code, confirm, copyable, counted, empty, exactTime, facts, filterProblem, filterText, headerLines, heading, id, link,
  modal, navigate, notice, paged, poll, section, table, time,
} from "./ui.js";

/** @type {[type: string, label: string][]} */
const TYPES = [
  ["registry-push", "Registry"], ["ci-pipeline", "CI system"], ["github-app", "GitHub"], ["gitlab-webhook", "GitLab"], ["generic", "Other"],
];
/** @param {Api.Receipt} row */
const actionOf = (row) => row.action ?? "handshake";

/** What shows that a request is not an old one sent again, by `replayProtection`. */
const REPLAYS = {
  time: "The sender's time", id: "The sender's delivery ID", state: "The commit before the push",
  body: "None after 5 minutes: a person who has seen a request can send it again",
};

/** @param {Api.WebhookConfig} config */
const orderText = (config) => {
  if (config.timeIsPush === undefined) return undefined;
  return config.timeIsPush ? "By the sender's time" : "By the time of receipt";
};

async function list() {
  const known = await senders();
  /** @param {Api.WebhookConfig[]} all */
  const rows = (all) => table("Inbound webhooks", [
    ["Name", (row) => link(`#/inbound/${row.id}`, row.name)],
    ["Sender", (row) => senderOf(known, row)?.title ?? row.provider],
    ["Type", (row) => row.type],
    ["Status", (row) => badge(row.enabled ? "enabled" : "disabled")],
    ["URL", (row) => h("code", { title: row.url }, row.url), "cut"],
    ["Created", (row) => time(row.createdAt), "right"],
  ], all);
  const none = empty("No inbound webhooks yet",
    "Each registry, CI system and code host posts to a URL of its own, with its own authentication.",
    api.hasRole("admin") && link("#/inbound/new", "Create the first one"));
  return h("div", {},
    heading("Inbound", api.hasRole("admin") && h("a", { class: "button primary", href: "#/inbound/new" }, "New inbound webhook")),
    await paged((more) => api.page("/webhook-configs", { pageSize: 50, ...more }), rows, none));
}

/**
 * Whether the URL ends in a token, because the sender supports no other authentication.
 * @param {Api.WebhookConfig} config
 * @param {Api.Sender | undefined} sender
 */
const hasUrlToken = (config, sender) => !config.authentication && !config.signatureHeader && !hasSecret(sender);

const random = () => [...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {string[]} [value] */
const repositoriesControl = (value) => lines({
  name: "repositories", label: "Repositories", value, placeholder: "myorg/*",
  help: "The repositories that the sender may report, one per line. Default: all.",
});

async function create() {
  const known = await senders();
  /** @type {(type: string) => [string, string][]} */
  const sendersOf = (type) => known.flatMap(({ types, title }, index) => (types[0] === type ? [[String(index), title]] : []));
  const secret = text({
    name: "secret", label: "Secret", value: random(),
    help: "The secret shared with the sender. Copy it into the sender; it is shown only now.",
  });
  const mapping = json({
    name: "mapping", label: "Mapping", rows: 6, value: { kind: "artifact.pushed", repository: "$.repository", tag: "$.tag" },
    help: "The JSONPath of each member of the event in the sender's JSON; {} if the sender posts the normalised form.",
  });
  const account = text({
    name: "account", label: "Service account", placeholder: "pusher@my-project.iam.gserviceaccount.com",
    help: "The account whose token Pub/Sub sends. If empty, the URL carries a token instead.",
  });
  const audience = text({
    name: "audience", label: "Audience", value: "stella", help: "The audience in the authentication settings of the Pub/Sub subscription.",
  });
  /** @param {string} index */
  const choose = (index) => {
    const sender = known[Number(index)];
    const { provider } = sender;
    secret.element.hidden = !hasSecret(sender);
    secret.write(provider === "azure-devops" ? `stella:${random()}` : random());
    mapping.element.hidden = provider !== "generic";
    account.element.hidden = audience.element.hidden = provider !== "gar";
  };
  /** @type {Choice[]} */
  const groups = TYPES.map(([type, label]) => [label, sendersOf(type)]);
  const sender = choice({ name: "sender", label: "Sender", choices: groups, value: "0", onchange: choose });
  choose("0");
  const controls = [sender,
    text({ name: "name", label: "Name", required: true, placeholder: "Docker Hub myorg" }), secret, account, audience, mapping,
    part("More", false, repositoriesControl(), eventFilters([], "$.tag"))];
  /** @param {Values} values */
  const submit = async ({ sender, mapping, account, audience, ...values }) => {
    const { types: [type], provider } = known[Number(sender)];
    if (account) {
      const claims = { email: account, email_verified: true };
      values.authentication = { type: "oidc", issuer: "https://accounts.google.com", audience, claims };
    }
    const mapped = mapping && Object.keys(mapping).length ? { mapping } : {};
    const created = await api.post("/webhook-configs", { ...values, ...mapped, type, provider });
    navigate(`#/inbound/${created.id}`, () => showCredentials(created, values.secret));
  };
  return h("div", {}, heading("New inbound webhook"),
    h("div", { class: "card" }, form("Create", controls, submit, link("#/inbound", "Cancel"))));
}

/**
 * Shows the URL and the secret to paste; a token in the URL and the secret cannot be shown again.
 * @param {Api.WebhookConfig} config
 * @param {string} [secret]
 */
function showCredentials(config, secret) {
  modal("Paste this into the sender",
    h("h3", {}, "URL"), copyable(config.url), secret && [h("h3", {}, "Secret"), copyable(secret)],
    h("p", { class: "muted" },
      "The secret and a token in the URL are shown only once. The set-up steps are on the page behind this dialog."));
}

/** @param {string} key */
async function edit(key) {
  const found = await api.get(`/webhook-configs/${key}`);
  const controls = [
    text({ name: "name", label: "Name", required: true, value: found.name }),
    text({ name: "secret", label: "Secret", placeholder: "unchanged", help: "After a change the old secret stays valid for 24 hours." }),
    repositoriesControl(found.repositories),
    eventFilters(found.filters, "$.tag"),
    found.provider === "generic" && json({ name: "mapping", label: "Mapping", rows: 6, value: found.mapping ?? {} }),
    part("More", false,
      lines({
        name: "successResults", label: "Results that mean success", rows: 2, value: found.successResults,
        help: "Words and numbers of the sender's pipelines, beside the usual ones. One per line.",
      }),
      text({
        name: "registry", label: "Registry", value: found.registry, placeholder: "registry.example.com",
        help: "The host that users pull from, if the sender names another one.",
      }),
      integer({
        name: "maxAgeSeconds", label: "Maximum age, seconds", min: 0, max: 2592000, value: found.maxAgeSeconds,
        help: "Older events are ignored. 0: no limit.",
      })),
    toggle({ name: "enabled", label: "Enabled", value: found.enabled, help: "If disabled, the URL responds with 404." }),
  ].filter((one) => one !== false);
  return h("div", {}, heading(found.name), h("div", { class: "card" }, form("Save", controls, async (values) => {
    if (values.mapping && !Object.keys(values.mapping).length) values.mapping = null;
    await api.patch(`/webhook-configs/${key}`, values);
    notice("Saved");
    navigate(`#/inbound/${key}`);
  }, link(`#/inbound/${key}`, "Cancel"))));
}

/**
 * A dry run of a request.
 * @param {Api.WebhookConfig} config
 * @param {Map<string, string>} names
 */
function preview(config, names) {
  const result = h("div", { class: "list", "aria-live": "polite" });
  const body = area({
    name: "body", label: "Body", rows: 10, required: true, placeholder: "{…}", help: "The exact request body of the sender.",
  });
  const headers = lines({
    name: "headers", label: "Headers", rows: 2, placeholder: "X-GitHub-Event: push",
    help: "Name: value, one per line, for senders that name the event in a header.",
  });
  /**
   * @param {Api.Preview["events"][number]} event
   * @param {Api.Preview["decisions"][number]} decision
   */
  const decisionView = (event, decision) => h("div", { class: "card" },
    h("p", {}, badge(decision.triggers.length || decision.versionAdded ? "processed" : "ignored"), " ",
      h("strong", {}, event.kind), " ", event.repository, event.tag && `:${event.tag}`),
    facts(["Filters", decision.filtered ? "Not matched" : "Matched"],
      ["Components", decision.componentIds.map((key) => names.get(key) ?? key).join(", ") || "None"],
      ["New version", decision.versionAdded ? "Yes" : "No"],
      ["Releases", decision.triggers.map(({ name, releaseName }) => `${releaseName} (${name})`).join(", ") || "None"],
      ["Reason", decision.triggers.length === 0 && decision.reason]),
    h("details", {}, h("summary", {}, "Normalised event"), code(event, "Normalised event")));
  /** @param {Values} values */
  const submit = async (values) => {
    show(result);
    /** @type {string[]} */
    const given = values.headers;
    const pairs = given.map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]);
    const { events, decisions, ...rest } =
      await api.post(`/webhook-configs/${config.id}/preview`, { headers: Object.fromEntries(pairs), body: values.body });
    const answer = /** @type {Partial<Api.Answer>} */ (rest.answer ?? {});
    show(result,
      events.length === 0 && h("p", {}, badge(answer.action ?? "ignored"), " ", answer.reason ?? "The request contains no event."),
      events.map((event, index) => decisionView(event, decisions[index])));
  };
  return section("Preview", h("p", { class: "lead" }, "A dry run of a request: nothing is stored and no event is published."),
    form("Preview", [body, headers], submit), result);
}

/**
 * @param {string} config
 * @returns {(rows: Api.Receipt[]) => Element}
 */
const receiptTable = (config) => (rows) => table("Received requests", [
  ["Action", (row) => badge(actionOf(row))],
  ["Subject", (row) => [
    row.repository, row.tag && `:${row.tag}`, row.kind && row.kind !== "artifact.pushed" && h("span", { class: "muted" }, ` ${row.kind}`),
  ], "wrap"],
  ["Reason", (row) => row.reason ?? "", "wrap"],
  ["Receipt", (row) => link(`#/inbound/${config}/receipts/${row.id}`, id(row.id)), "cut"],
  ["Sender IP", (row) => row.ip ?? "–"],
  ["Received", (row) => time(row.receivedAt), "right"],
], rows);

/** @param {Api.WebhookConfig} config */
function rotateToken(config) {
  const period = integer({ name: "gracePeriodSeconds", label: "Grace period, seconds", min: 0, max: 604800, value: 86400 });
  const dialog = modal("Rotate the URL token",
    h("p", {}, "The old URL stays valid for the grace period."),
    form("Rotate", [period], async (values) => {
      const rotated = await api.post(`/webhook-configs/${config.id}/rotate-token`, values);
      dialog.close();
      showCredentials(rotated);
    }));
}

/** @param {string} key */
async function one(key) {
  const [config, components, known] =
    await Promise.all([api.get(`/webhook-configs/${key}`), api.all("/components"), senders()]);
  const names = new Map(components.map(({ id, name }) => [id, name]));
  const sender = senderOf(known, config);
  const log = h("div", {});
  /** @type {string | undefined} */
  let newest;
  const load = async () => {
    const list = await paged(async (more) => {
      const page = await api.page(`/webhook-configs/${key}/receipts`, { pageSize: 20, ...more });
      if (!more.cursor) newest = page.data[0]?.id;
      return page;
    }, receiptTable(key), h("p", { class: "muted" }, "No requests yet"));
    show(log, list);
  };
  await load();
  poll(3000, log, async () => {
    const { data } = await api.page(`/webhook-configs/${key}/receipts`, { pageSize: 1 });
    if (data[0]?.id !== newest) await load();
  });
  const remove = async () => {
    await api.remove(`/webhook-configs/${key}`);
    navigate("#/inbound");
  };
  const confirmRemoval = () =>
    confirm("Delete the inbound webhook?", `The URL of ${config.name} responds with 404 within a minute.`, "Delete", remove);
  const actions = api.hasRole("admin") && [
    h("a", { class: "button", href: `#/inbound/${key}/edit` }, "Edit"),
    hasUrlToken(config, sender) && button("Rotate token", () => rotateToken(config)),
    button("Delete", confirmRemoval, { class: "danger" }),
  ];
  const rejected = config.rejectedLast24h ?? 0;
  const tooLarge = config.rejections?.tooLarge ?? 0;
  return h("div", {},
    heading(config.name, badge(config.enabled ? "enabled" : "disabled"), actions),
    rejected > 0 && h("p", { class: "warning" },
      `${counted(rejected, "request", "requests")} failed authentication in the last 24 hours. ${config.authenticationHint ?? "Check the secret in the sender."}`),
    tooLarge > 0 && h("p", { class: "warning" },
      `${counted(tooLarge, "request", "requests")} had a body of more than 4 MiB in the last 8 days, and ${tooLarge === 1 ? "was" : "were"} refused.`),
    filterProblem(config.filterErrors),
    section("URL", hasUrlToken(config, sender)
      ? [h("p", {}, h("code", {}, `${config.url}/…`)),
        h("p", { class: "muted" }, "It ends in a token, which was shown once. Rotate the token to get a new URL.")]
      : copyable(config.url),
      facts(["Sender", sender?.title ?? config.provider], ["Type", config.type], ["Repositories", config.repositories.join(", ")],
        ["Filters", config.filters.map(filterText).join(" and ")], ["Order of pushes", orderText(config)],
        ["Protection against replays", config.replayProtection && REPLAYS[config.replayProtection]], ["ID", id(config.id)])),
    section("Received requests", log),
    api.hasRole("admin") && preview(config, names),
    sender && section(`Set up ${sender.title}`, await guide(sender)));
}

/**
 * @param {string} key
 * @param {string} receiptId
 */
async function receipt(key, receiptId) {
  const found = await api.get(`/webhook-configs/${key}/receipts/${receiptId}`);
  const { releaseId } = /** @type {Partial<Api.Answer>} */ (found.answer ?? {});
  const replay = async () => {
    const answer = await api.postFull(`/webhook-configs/${key}/receipts/${receiptId}/replay`);
    const result = /** @type {Partial<Api.Answer>} */ (answer.data);
    notice(`Replayed: ${result.action ?? "done"}`);
    if (result.receiptId) navigate(`#/inbound/${key}/receipts/${result.receiptId}`);
  };
  return h("div", {},
    heading("Receipt", badge(actionOf(found)), api.hasRole("admin") && found.replayable && button("Replay", replay, { class: "primary" })),
    section("Receipt", facts(["Inbound webhook", link(`#/inbound/${key}`, id(key))], ["Received", exactTime(found.receivedAt)],
      ["Sender IP", found.ip], ["Reason", found.reason],
      ["Existing release", releaseId && id(releaseId)],
      ["Replay of", found.replayOf && link(`#/inbound/${key}/receipts/${found.replayOf}`, id(found.replayOf))], ["ID", id(found.id)])),
    section("Processing steps", h("ol", { class: "guide" }, found.steps?.map((step) => h("li", {}, step)))),
    h("div", { class: "columns" },
      section("Request", code(headerLines(found.headers ?? {}).join("\n"), "Request headers"), code(found.body ?? "", "Request body")),
      section("Response", code(found.answer ?? {}, "Response body"))));
}

/** @param {string[]} parts */
export function render(parts) {
  if (!parts.length) return list();
  if (parts[0] === "new") return create();
  if (parts[0] === "senders") return guidePage(parts[1]);
  if (parts[1] === "edit") return edit(parts[0]);
  return parts[1] === "receipts" ? receipt(parts[0], parts[2]) : one(parts[0]);
}
