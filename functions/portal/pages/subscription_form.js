// The form that creates or edits a subscription.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { choice, fieldName, filters, form, integer, json, part, rows, several, text, toggle } from "./form.js";
import { badge, button, code, filterText, heading, link, navigate, notice, showSecret } from "./ui.js";

/** @typedef {Partial<Api.Subscription> & Pick<Api.Subscription, "retryPolicy" | "authType">} Spec */

/** @type {[Api.Subscription["authType"], string][]} */
const AUTH = [
  ["signature", "Signature: HMAC with a secret of the subscription"], ["bearer", "Bearer: a token"], ["basic", "Basic: user and password"],
  ["none", "None"],
];
/** @type {[Api.RetryPolicy["backoffType"], string][]} */
const BACKOFF = [
  ["exponential", "Exponential: 10, 20, 40, …"], ["linear", "Linear: 10, 20, 30, …"], ["fixed", "Fixed: 10, 10, 10, …"],
];
/**
 * The values of a new subscription.
 * @type {Spec}
 */
const DEFAULTS = {
  method: "POST", authType: "signature", events: [], filters: [], timeout: 30000, enabled: true,
  retryPolicy: { maxRetries: 3, backoffType: "exponential", backoffSeconds: 10, maxBackoffSeconds: 3600 },
};

/** @param {string | undefined} value */
const checkUrl = (value) => {
  if (!value || value === "pull:") return undefined;
  try {
    return /^https?:$/.test(new URL(value).protocol) ? undefined : "Must begin with https://, or be pull:.";
  } catch {
    return "Not a URL. Example: https://hooks.example.com/stella";
  }
};

/** The API's placeholder of a secret value. */
const REDACTED = "[redacted]";

/**
 * The PATCH that turns `found` into `values`: null removes a member.
 * @param {Api.Subscription} found
 * @param {Values} values
 */
function changes(found, values) {
  const headers = { ...values.headers };
  for (const [name, value] of Object.entries(headers)) if (value === REDACTED) delete headers[name];
  for (const name of Object.keys(found.headers ?? {})) if (!(name in values.headers)) headers[name] = null;
  const credentialRef = values.credentialRef ?? (found.credentialRef ? null : undefined);
  return { ...values, headers, rateLimitPerSecond: values.rateLimitPerSecond ?? null, credentialRef };
}

/**
 * The schedule of attempts as text.
 * @param {Values} policy
 */
function schedule({ maxRetries, backoffType, backoffSeconds, maxBackoffSeconds }) {
  /** @param {number} seconds */
  const span = (seconds) =>
    (seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);
  let at = 0;
  const times = Array.from({ length: maxRetries }, (_, index) => {
    /** @type {Record<string, number>} */
    const factors = { exponential: 2 ** index, linear: index + 1, fixed: 1 };
    at += Math.min(backoffSeconds * factors[backoffType], maxBackoffSeconds);
    return span(at);
  });
  const some = times.length > 8 ? [...times.slice(0, 6), "…", times.at(-1)] : times;
  return times.length ? `Attempts: immediately, then about ${some.join(", ")} after the first.` : "One attempt, no retries.";
}

/**
 * The part of the form for the retry policy, with a preview of its schedule.
 * @param {Api.Subscription["retryPolicy"]} policy
 */
function retryControls(policy) {
  const preview = h("p", { class: "help", "aria-live": "polite" });
  const controls = [
    integer({
      name: "maxRetries", label: "Retries", min: 0, max: 20, value: policy.maxRetries, required: true, help: "Attempts after the first.",
    }),
    choice({ name: "backoffType", label: "Backoff", value: policy.backoffType, choices: BACKOFF }),
    integer({ name: "backoffSeconds", label: "First delay, seconds", min: 1, max: 43200, value: policy.backoffSeconds, required: true }),
    integer({
      name: "maxBackoffSeconds", label: "Maximum delay, seconds", min: 1, max: 43200, value: policy.maxBackoffSeconds, required: true,
    }),
  ];
  const draw = () => show(preview, schedule(Object.fromEntries(controls.map((one) => [one.name.split(".").at(-1), one.read()]))));
  draw();
  const retries = part("Retry policy", false, ...controls, { element: preview, controls: [] });
  retries.element.addEventListener("input", draw);
  controls.forEach((one) => { one.name = `retryPolicy.${one.name}`; });
  return retries;
}

/**
 * The select of the authentication, and the fields that it needs.
 * @param {Api.Subscription | null} found
 * @param {Spec} spec
 */
function authControls(found, spec) {
  const secret = text({
    name: "signatureSecret", label: "Signing secret", placeholder: found ? "unchanged" : "generated if left empty; shown once",
    help: "Leave empty unless the endpoint already has a secret.",
  });
  const credential = text({
    name: "credential", label: "Credential", type: "password", autocomplete: "new-password", placeholder: found ? "unchanged" : "",
    help: "user:password for Basic, the token for Bearer. Stored encrypted and never shown.",
  });
  const reference = text({
    name: "credentialRef", label: "or a secret in Secrets Manager", value: spec.credentialRef, placeholder: "/prod/tenants/…/hook",
    help: "Used instead of the credential.",
  });
  /** @param {string} type */
  const choose = (type) => {
    secret.element.hidden = type !== "signature";
    credential.element.hidden = reference.element.hidden = type !== "basic" && type !== "bearer";
  };
  const auth = choice({ name: "authType", label: "Authentication", value: spec.authType, choices: AUTH, onchange: choose });
  choose(spec.authType);
  return [auth, secret, credential, reference];
}

/**
 * @param {Api.Subscription | null} found
 * @param {Spec} spec
 */
function headersControl(found, spec) {
  /** @type {(placeholder?: string) => (value?: string) => HTMLElement} */
  const input = (placeholder) => (value) => h("input", { type: "text", value: value ?? "", placeholder });
  return rows({
    name: "headers", label: "Custom headers", add: "Add header",
    value: Object.entries(spec.headers ?? {}).map(([name, value]) => ({ name, value })),
    columns: [["name", "Name", input("X-Team")], ["value", "Value", input()]],
    read: (all) => Object.fromEntries(all.filter(({ name }) => name).map(({ name, value }) => [name, value])),
    help: found && `${REDACTED} keeps the current value.`,
  });
}

/**
 * @param {Api.EventType[]} types
 * @param {string[] | undefined} value
 */
function eventsControl(types, value) {
  const nouns = [...new Set(types.map(({ name }) => name.split(".")[0]))];
  return several({
    name: "events", label: "Events", required: true, value,
    help: "Choose which events to send. A group or * includes types that are added later.",
    choices: [
      ["*", "All events except operational ones"], ...nouns.map((noun) => [`${noun}.*`, `All ${noun} events`]),
      ...types.map(({ name, description }) => [name, description]),
    ].map(([name, help]) => [name, name, help]),
  });
}

/**
 * @param {Api.Subscription | null} found
 * @param {Api.EventType[]} types
 * @param {(values: Values) => unknown} submit
 */
function subscriptionForm(found, types, submit) {
  const spec = found ?? DEFAULTS;
  const events = eventsControl(types, spec.events);
  const eventFilters = filters({
    name: "filters", label: "Filters", value: spec.filters, placeholder: "data.environment.name",
    help: "Only events that match all filters are sent. A path is dotted, or a JSONPath that begins with $.",
  });
  const controls = [
    text({ name: "name", label: "Name", required: true, value: spec.name, placeholder: "deployments to the chat" }),
    text({
      name: "url", label: "Endpoint URL", required: true, value: spec.url, placeholder: "https://hooks.example.com/stella", check: checkUrl,
      help: "Use pull: for deliveries that the subscriber fetches, as stella listen does.",
    }),
    events, eventFilters, { element: tester(events, eventFilters, types), controls: [] }, ...authControls(found, spec),
    retryControls(spec.retryPolicy),
    part("More", false,
      choice({ name: "method", label: "Method", value: spec.method, choices: [["POST", "POST"], ["PUT", "PUT"]] }),
      headersControl(found, spec),
      integer({
        name: "timeout", label: "Timeout, milliseconds", min: 100, max: 30000, value: spec.timeout,
        help: "For a whole attempt, from connecting to the end of the response body.",
      }),
      integer({
        name: "rateLimitPerSecond", label: "Rate limit, attempts per second", min: 1, max: 10000, value: spec.rateLimitPerSecond,
        placeholder: "no limit",
      }),
      toggle({
        name: "allowSelf", label: "Allow inbound URLs of this deployment", value: spec.allowSelf,
        help: "A delivery to one becomes an inbound request; a chain ends after three hops.",
      }),
      toggle({ name: "enabled", label: "Enabled", value: spec.enabled })),
  ];
  /** @param {Values} values */
  const act = (values) => {
    /** @type {Values} */
    const nested = {};
    for (const [name, value] of Object.entries(values)) {
      const [member, within] = name.split(".");
      if (within) nested[member] = { ...nested[member], [within]: value };
      else nested[member] = value;
    }
    return submit(nested);
  };
  return form(found ? "Save" : "Create", controls, act, link(found ? `#/subscriptions/${found.id}` : "#/subscriptions", "Cancel"));
}

/**
 * Asks the API whether a sample event would be delivered.
 * @param {Control<string[]>} events
 * @param {Control<Api.Filter[]>} eventFilters
 * @param {Api.EventType[]} types
 */
function tester(events, eventFilters, types) {
  const result = h("div", { class: "list", "aria-live": "polite" });
  const sample = json({ label: "Sample event data", rows: 10, value: types[0].example });
  const kind = choice({
    label: "Event", value: types[0].name, choices: types.map(({ name }) => [name, name]),
    onchange: (name) => sample.write(types.find((type) => type.name === name)?.example),
  });
  /** @param {{ matched: boolean, eventSelected: boolean }} preview */
  const outcome = ({ matched, eventSelected }) => {
    if (matched) return "This event would be delivered.";
    return eventSelected ? "A filter does not match." : "This event type is not selected.";
  };
  /**
   * @param {Api.Filter} filter
   * @param {boolean | undefined} isMatch
   */
  const filterResult = (filter, isMatch) =>
    h("p", {}, badge(isMatch ? "matched" : "not matched"), " ", h("code", {}, filterText(filter)));
  const ask = async () => {
    if (!sample.check()) return;
    const chosen = eventFilters.read();
    try {
      const preview = await api.post("/webhook-subscriptions/preview",
        { events: events.read(), filters: chosen, event: kind.read(), data: sample.read() });
      show(result,
        h("p", {}, badge(preview.matched ? "delivered" : "skipped"), " ", outcome(preview)),
        chosen.map((filter, index) => filterResult(filter, preview.filters[index])),
        h("details", {}, h("summary", {}, "Input of the filters"), code(preview.payload, "Input of the filters")));
    } catch (error) {
      /** @param {Child[]} children */
      const problem = (...children) => h("p", { class: "problem" }, ...children);
      show(result, error.errors?.length
        ? /** @type {Api.Mistake[]} */ (error.errors).map(({ field, message }) => problem(`${fieldName(field)} ${message}`))
        : problem(error.message));
    }
  };
  return h("details", { class: "attempt" }, h("summary", {}, "Test with a sample event"),
    h("div", { class: "list" }, kind.element, sample.element, h("div", {}, button("Run test", ask)), result));
}

/** @param {Api.Subscription} subscription */
const showNewSecret = ({ signatureSecret }) =>
  signatureSecret && showSecret("Signing secret", "Deliveries are signed with it. The endpoint needs it to verify them.", signatureSecret);

export async function create() {
  const types = await api.get("/event-types");
  return h("div", {}, heading("New subscription"), h("div", { class: "card" }, subscriptionForm(null, types, async (values) => {
    const created = await api.post("/webhook-subscriptions", values);
    navigate(`#/subscriptions/${created.id}`, () => showNewSecret(created));
  })));
}

/** @param {string} key */
export async function edit(key) {
  const [found, types] = await Promise.all([api.get(`/webhook-subscriptions/${key}`), api.get("/event-types")]);
  return h("div", {}, heading(found.name), h("div", { class: "card" }, subscriptionForm(found, types, async (values) => {
    const updated = await api.patch(`/webhook-subscriptions/${key}`, changes(found, values));
    notice("Saved");
    navigate(`#/subscriptions/${key}`, () => showNewSecret(updated));
  })));
}
