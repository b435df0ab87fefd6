// Making a subscription, and changing one.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, filters, form, integer, json, part, place, rows, several, text, toggle } from "./form.js";
import { badge, button, code, filterText, go, heading, link, notice, secretOnce } from "./ui.js";

/** @type {[string, string][]} */
const AUTH = [["signature", "Signature: signed with a secret of its own"], ["bearer", "Bearer: a token"], ["basic", "Basic: user and password"], ["none", "None"]];
/** @type {[string, string][]} */
const BACKOFF = [["exponential", "exponential: 10, 20, 40, …"], ["linear", "linear: 10, 20, 30, …"], ["fixed", "fixed: 10, 10, 10, …"]];

/** @param {string | undefined} value */
const isUrl = (value) => {
  if (!value || value === "pull:") return undefined;
  try {
    return /^https?:$/.test(new URL(value).protocol) ? undefined : "An address begins with https://, or is pull:.";
  } catch {
    return "This is not an address, as in https://hooks.example.com/stella.";
  }
};

/** What stands in the place of a value that is secret. */
const BLANK = "[redacted]";

/**
 * What a PATCH says to make of `found` what the form says: null for what is gone.
 * @param {Api.Subscription} found
 * @param {Values} said
 */
function changes(found, said) {
  const headers = { ...said.headers };
  for (const [name, value] of Object.entries(headers)) if (value === BLANK) delete headers[name];
  for (const name of Object.keys(found.headers ?? {})) if (!(name in said.headers)) headers[name] = null;
  return { ...said, headers, rateLimitPerSecond: said.rateLimitPerSecond ?? null, credentialRef: said.credentialRef ?? (found.credentialRef ? null : undefined) };
}

/**
 * When attempts follow each other, as people say it.
 * @param {Values} policy
 */
function schedule({ maxRetries, backoffType, backoffSeconds, maxBackoffSeconds }) {
  /** @param {number} seconds */
  const span = (seconds) => (seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);
  let at = 0;
  const times = Array.from({ length: maxRetries }, (_, index) => {
    /** @type {Record<string, number>} */
    const factors = { exponential: 2 ** index, linear: index + 1, fixed: 1 };
    at += Math.min(backoffSeconds * factors[backoffType], maxBackoffSeconds);
    return span(at);
  });
  const some = times.length > 8 ? [...times.slice(0, 6), "…", times.at(-1)] : times;
  return times.length ? `Attempts: at once, then about ${some.join(", ")} after the first.` : "One attempt, and no more.";
}

/**
 * @param {Api.Subscription | null} found
 * @param {Api.EventType[]} types
 * @param {(said: Values) => unknown} done
 */
function subscriptionForm(found, types, done) {
  /** @type {Partial<Api.Subscription> & Pick<Api.Subscription, "retryPolicy" | "authType">} */
  const terms = found ?? { method: "POST", authType: "signature", events: [], filters: [], retryPolicy: { maxRetries: 3, backoffType: "exponential", backoffSeconds: 10, maxBackoffSeconds: 3600 }, timeout: 30000, enabled: true };
  const policy = terms.retryPolicy;
  const groups = [...new Set(types.map(({ name }) => name.split(".")[0]))].map((noun) => `${noun}.*`);
  const selected = several({
    name: "events", label: "Events", required: true, value: terms.events, help: "What it is told of. A group or * also takes types that come later.",
    choices: [["*", "everything but what is operational"], ...groups.map((name) => [name, "all of them"]), ...types.map(({ name, description }) => [name, description])].map(([name, help]) => [name, name, help]),
  });
  const wanted = filters({ name: "filters", label: "Filters", value: terms.filters, placeholder: "data.environment.name", help: "Only events that match all of them. A path with dots, or a JSONPath from $." });
  const secret = text({ name: "signatureSecret", label: "Signing secret", placeholder: found ? "as it is" : "minted, and shown once", help: "Leave it empty unless the receiver has one already." });
  const credential = text({ name: "credential", label: "Credential", type: "password", autocomplete: "new-password", placeholder: found ? "as it is" : "", help: "user:password for Basic, the token for Bearer. It is sealed and never shown." });
  const reference = text({ name: "credentialRef", label: "or an entry of Secrets Manager", value: terms.credentialRef, placeholder: "/prod/tenants/…/hook", help: "In the place of the credential." });
  /** @param {string} type */
  const toggleAuth = (type) => {
    secret.element.hidden = type !== "signature";
    credential.element.hidden = reference.element.hidden = type !== "basic" && type !== "bearer";
  };
  const auth = choice({ name: "authType", label: "How deliveries prove where they come from", value: terms.authType, choices: AUTH, onchange: toggleAuth });
  toggleAuth(terms.authType);

  const plan = h("p", { class: "help", "aria-live": "polite" });
  const retries = [
    integer({ name: "maxRetries", label: "Retries", min: 0, max: 20, value: policy.maxRetries, required: true, help: "Attempts after the first." }),
    choice({ name: "backoffType", label: "Delays grow", value: policy.backoffType, choices: BACKOFF }),
    integer({ name: "backoffSeconds", label: "First delay, seconds", min: 1, max: 43200, value: policy.backoffSeconds, required: true }),
    integer({ name: "maxBackoffSeconds", label: "Longest delay, seconds", min: 1, max: 43200, value: policy.maxBackoffSeconds, required: true }),
  ];
  const policyOf = () => Object.fromEntries(retries.map((one) => [one.name.split(".").at(-1), one.read()]));
  const drawPlan = () => show(plan, schedule(policyOf()));
  drawPlan();
  const retryPart = part("When it is tried again", false, ...retries, { element: plan, controls: [] });
  retryPart.element.addEventListener("input", drawPlan);
  retries.forEach((one) => { one.name = `retryPolicy.${one.name}`; });

  const controls = [
    text({ name: "name", label: "Name", required: true, value: terms.name, placeholder: "deployments to the chat" }),
    text({ name: "url", label: "Address", required: true, value: terms.url, placeholder: "https://hooks.example.com/stella", check: isUrl, help: "Where to. With pull: deliveries wait to be fetched, as stella listen does." }),
    selected, wanted, { element: tester(selected, wanted, types), controls: [] }, auth, secret, credential, reference, retryPart,
    part("More", false,
      choice({ name: "method", label: "Method", value: terms.method, choices: [["POST", "POST"], ["PUT", "PUT"]] }),
      rows({
        name: "headers", label: "Headers of your own", add: "Add a header", value: Object.entries(terms.headers ?? {}).map(([name, value]) => ({ name, value })),
        columns: [["name", "Name", (value) => h("input", { type: "text", value: value ?? "", placeholder: "X-Team" })], ["value", "Value", (value) => h("input", { type: "text", value: value ?? "" })]],
        read: (all) => Object.fromEntries(all.filter(({ name }) => name).map(({ name, value }) => [name, value])),
        help: found && `A value shown as ${BLANK} stays as it is while it is left so.`,
      }),
      integer({ name: "timeout", label: "Timeout, milliseconds", min: 100, max: 30000, value: terms.timeout, help: "For a whole attempt, connecting and the answer's body included." }),
      integer({ name: "rateLimitPerSecond", label: "At most so many attempts a second", min: 1, max: 10000, value: terms.rateLimitPerSecond, placeholder: "no limit" }),
      toggle({ name: "allowSelf", label: "May call an inbound address of this deployment", value: terms.allowSelf, help: "What is delivered there comes back in, three hops far at most." }),
      toggle({ name: "enabled", label: "Enabled", value: terms.enabled })),
  ];
  /** @param {Values} values */
  const act = (values) => {
    /** @type {Values} */
    const said = {};
    for (const [name, value] of Object.entries(values)) {
      const [member, within] = name.split(".");
      if (within) said[member] = { ...said[member], [within]: value };
      else said[member] = value;
    }
    return done(said);
  };
  return form(found ? "Save" : "Make it", controls, act, link(found ? `#/subscriptions/${found.id}` : "#/subscriptions", "Cancel"));
}

/**
 * Asks the service whether a sample event would be delivered.
 * @param {Control} selected
 * @param {Control<Api.Filter[]>} wanted
 * @param {Api.EventType[]} types
 */
function tester(selected, wanted, types) {
  const answer = h("div", { class: "list", "aria-live": "polite" });
  const sample = json({ label: "Data of a sample event", rows: 10, value: types[0].example });
  const kind = choice({ label: "Event", value: types[0].name, choices: types.map(({ name }) => [name, name]), onchange: (name) => sample.write(types.find((type) => type.name === name)?.example) });
  const ask = async () => {
    if (!sample.check()) return;
    const rows = wanted.read();
    try {
      const told = await api.post("/webhook-subscriptions/preview", { events: selected.read(), filters: rows, event: kind.read(), data: sample.read() });
      show(answer,
        h("p", {}, badge(told.matched ? "delivered" : "skipped"), " ", told.matched ? "It would be delivered." : told.eventSelected ? "A filter does not match." : "This type of event is not selected."),
        rows.map((filter, index) => h("p", {}, badge(told.filters[index] ? "enabled" : "failed", told.filters[index] ? "It matches" : "It does not match"), " ", h("code", {}, filterText(filter)), told.filters[index] ? " matches" : " does not match")),
        h("details", {}, h("summary", {}, "What the filters look at"), code(told.payload, "What the filters look at")));
    } catch (error) {
      show(answer, error.errors?.length ? /** @type {Api.Mistake[]} */ (error.errors).map(({ field, message }) => h("p", { class: "problem" }, `${place(field)} ${message}`)) : h("p", { class: "problem" }, error.message));
    }
  };
  return h("details", { class: "attempt" }, h("summary", {}, "Try the selection on a sample event"), h("div", { class: "list" }, kind.element, sample.element, h("div", {}, button("Try it", ask)), answer));
}

/** @param {Api.Subscription} made */
const tell = (made) => made.signatureSecret && secretOnce("The signing secret", "Deliveries are signed with it. The receiver needs it to know that they are genuine.", made.signatureSecret);

export async function create() {
  const types = await api.get("/event-types");
  return h("div", {}, heading("New subscription"), h("div", { class: "card" }, subscriptionForm(null, types, async (values) => {
    const made = await api.post("/webhook-subscriptions", values);
    go(`#/subscriptions/${made.id}`, () => tell(made));
  })));
}

/** @param {string} key */
export async function edit(key) {
  const [found, types] = await Promise.all([api.get(`/webhook-subscriptions/${key}`), api.get("/event-types")]);
  return h("div", {}, heading(found.name), h("div", { class: "card" }, subscriptionForm(found, types, async (values) => {
    const made = await api.patch(`/webhook-subscriptions/${key}`, changes(found, values));
    notice("Saved");
    go(`#/subscriptions/${key}`, () => tell(made));
  })));
}
