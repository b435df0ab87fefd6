// What all pages are made of.

import { freshId, h, show } from "./dom.js";

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const NUMBER = new Intl.NumberFormat("en");

/** @param {number | null | undefined} value */
export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));
/**
 * @param {number | null | undefined} value
 * @param {string} one
 * @param {string} many
 */
export const counted = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;
/** @param {number | null | undefined} rate */
export const percent = (rate) =>
  rate === null || rate === undefined ? "–" : `${(rate * 100).toFixed(rate === 1 || rate === 0 ? 0 : 1)} %`;
/** @param {number | null | undefined} ms */
export const milliseconds = (ms) =>
  ms === null || ms === undefined ? "–" : ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`;

/** @param {string} moment */
function since(moment) {
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return RELATIVE.format(Math.round(seconds / length), unit);
}

/**
 * How long ago; the exact time on hover.
 * @param {string | null | undefined} moment
 */
export function time(moment) {
  if (!moment) return "–";
  return h("time", { datetime: moment, title: new Date(moment).toString(), "data-time": moment }, since(moment));
}

// "5 seconds ago" does not stay true.
setInterval(() => {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("time[data-time]"))) {
    const text = since(element.dataset.time ?? "");
    if (element.textContent !== text) element.textContent = text;
  }
}, 5000);

/**
 * The clock's time, to the millisecond.
 * @param {string} moment
 */
export const exactly = (moment) => {
  const at = new Date(moment);
  return h("time", { datetime: moment, title: moment }, `${at.toLocaleString("en-GB", { hour12: false })}.${String(at.getMilliseconds()).padStart(3, "0")}`);
};

/** @type {Record<string, string>} */
const TONES = {
  delivered: "good", processed: "good", completed: "good", created: "good", closed: "good", enabled: "good",
  failed: "bad", failing: "bad", down: "bad", open: "bad", unauthenticated: "bad",
  retrying: "warn", paused: "warn", "half-open": "warn", queued: "warn", running: "warn", disabled: "warn", retag: "warn",
};

/**
 * A word with a colour; the word says it too.
 * @param {string} word
 * @param {string} [detail]
 */
export const badge = (word, detail) =>
  h("span", { class: `badge ${TONES[word] ?? ""}`, title: detail }, word);

/**
 * An id, or anything as long: cut by the width, whole on hover and when copied.
 * @param {string} text
 */
export const id = (text) => h("code", { class: "id", title: text }, text);

/**
 * @param {string} href
 * @param {Child[]} children
 */
export const link = (href, ...children) => h("a", { href }, ...children);

/**
 * @param {string} label
 * @param {() => unknown} act
 * @param {Properties} [properties]
 */
export const button = (label, act, properties = {}) =>
  h("button", { type: "button", ...properties, onclick: (event) => busy(event.currentTarget, act) }, label);

/**
 * Runs an act while its button waits; what goes wrong is told.
 * @param {Element} control
 * @param {() => unknown} act
 */
export async function busy(control, act) {
  if (control.getAttribute("aria-busy")) return;
  control.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    if (error.status === undefined) console.error(error);
    notice(error.message, "bad");
  } finally {
    control.removeAttribute("aria-busy");
  }
}

/**
 * Says something for some seconds.
 * @param {string} text
 * @param {"good" | "bad"} [tone]
 */
export function notice(text, tone = "good") {
  const element = h("div", { class: `notice ${tone}` }, text, h("button", { type: "button", class: "plain", "aria-label": "Dismiss", onclick: () => { element.remove(); } }, "×"));
  document.getElementById("notices")?.append(element);
  setTimeout(() => element.remove(), tone === "bad" ? 12000 : 5000);
}

/**
 * @param {string | (() => string)} text
 * @param {string} [label]
 */
export function copyButton(text, label = "Copy") {
  return button(label, async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    notice("Copied");
  }, { class: "small" });
}

/**
 * A text to be copied whole.
 * @param {string} text
 */
export const copyable = (text) => h("div", { class: "copyable" }, h("code", {}, text), copyButton(text));

/**
 * JSON as people read it; other text as it is.
 * @param {unknown} value
 * @returns {string}
 */
function pretty(value) {
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

/**
 * A text of many lines, which can be scrolled by keyboard too.
 * @param {unknown} value
 * @param {string} label
 */
export function code(value, label) {
  const text = pretty(value);
  return h("div", { class: "code" },
    h("pre", { tabindex: 0, role: "region", "aria-label": label }, text),
    copyButton(text));
}

/**
 * The head of a page.
 * @param {string} title
 * @param {Child[]} actions
 */
export const heading = (title, ...actions) =>
  h("header", { class: "heading" }, h("h1", { tabindex: -1 }, title), h("div", { class: "actions" }, ...actions));

/**
 * @param {string} title
 * @param {Child[]} children
 */
export const section = (title, ...children) => {
  const label = freshId("section");
  return h("section", { "aria-labelledby": label }, h("h2", { id: label }, title), ...children);
};

/**
 * A filter as it is said.
 * @param {{ field: string, operator: string, value?: unknown }} filter
 */
export const filterText = ({ field, operator, value }) => `${field} ${operator} ${JSON.stringify(value)}`;

/**
 * What could not be evaluated of a subscription's or config's filters, or would be refused now.
 * @param {Api.FilterErrors | undefined} errors
 */
export const filterProblem = (errors) => errors && h("p", { class: "problem" },
  errors.lastAt ? [`${errors.message} (`, counted(errors.count, "failure", "failures"), ", last ", time(errors.lastAt), ")"] : errors.message);

/**
 * Headers, a line each.
 * @param {Record<string, string>} headers
 */
export const headerLines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}`);

/**
 * A text that may be very long: its beginning, and all of it when it is asked for.
 * @param {string} text
 */
export const long = (text) => (text.length < 160 ? h("code", {}, text) : h("details", {}, h("summary", {}, h("code", {}, `${text.slice(0, 120)}…`)), h("code", {}, text)));

/**
 * Pairs of a name and a value; without a value there is no pair.
 * @param {([name: string, value: Child] | false)[]} pairs
 */
export const facts = (...pairs) =>
  h("dl", { class: "facts" }, /** @type {[string, Child][]} */ (pairs
    .filter((pair) => pair && pair[1] !== undefined && pair[1] !== null && pair[1] !== false && pair[1] !== ""))
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

/**
 * @param {string} title
 * @param {Child} text
 * @param {Child[]} actions
 */
export const empty = (title, text, ...actions) =>
  h("div", { class: "empty" }, h("p", { class: "title" }, title), h("p", {}, text), ...actions);

/**
 * A table whose columns are `[title, (row) => cell, class?]`. On a phone each row is a card.
 * @template T
 * @param {string} label
 * @param {Column<T>[]} columns
 * @param {T[]} rows
 */
export function table(label, columns, rows) {
  /** @type {(row: T) => (column: Column<T>) => Element} */
  const cell = (row) => ([title, view, kind]) => h("td", { "data-title": title, class: kind }, view(row));
  return h("div", { class: "table" },
    h("table", { "aria-label": label },
      h("thead", {}, h("tr", {}, columns.map(([title, , kind]) => h("th", { scope: "col", class: kind }, title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(cell(row)))))));
}

/**
 * A list that is shown page by page: `load(query)` gives a page, `render(rows)` what is seen of it.
 * @template T
 * @param {(query: { cursor?: string }) => Promise<Page<T>>} load
 * @param {(rows: T[]) => Child} render
 * @param {Child} nothing
 */
export async function paged(load, render, nothing) {
  const list = h("div", {});
  const more = h("div", { class: "more" });
  /** @type {T[]} */
  const rows = [];
  /** @param {string | null} [cursor] */
  async function next(cursor) {
    const found = await load(cursor ? { cursor } : {});
    rows.push(...found.data);
    const { nextCursor, total, totalIsLowerBound } = found.pagination;
    show(list, rows.length ? render(rows) : nextCursor ? null : nothing);
    const told = rows.length ? `${number(rows.length)} of ${totalIsLowerBound ? "more than " : ""}${number(total)}` : "";
    show(more, told, nextCursor && button("Show more", () => next(nextCursor)));
  }
  await next();
  return h("div", {}, list, more);
}

/** @type {(() => unknown) | undefined} */
let pending;

/**
 * Goes to another page, and does something once it is there.
 * @param {string} address
 * @param {() => unknown} [then]
 */
export function go(address, then) {
  pending = then;
  if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = address;
}

/** The page is there. */
export function arrived() {
  const then = pending;
  pending = undefined;
  then?.();
}

/**
 * Shows children anew and keeps the focus: at what is called the same, or at what is in its place.
 * @param {HTMLElement} element
 * @param {Child[]} children
 */
export function redraw(element, ...children) {
  const all = () => [.../** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("a, button, input, select, summary, [tabindex]"))];
  const had = /** @type {HTMLElement} */ (document.activeElement);
  const index = all().indexOf(had);
  show(element, ...children);
  if (index < 0) return;
  const now = all();
  (now.find((one) => one.tagName === had.tagName && one.textContent === had.textContent) ?? now[Math.min(index, now.length - 1)])?.focus();
}

/** Closes what lies over the page. */
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/**
 * Asks before something that cannot be undone.
 * @param {string} title
 * @param {Child} text
 * @param {string} label
 * @param {() => unknown} act
 */
export function confirm(title, text, label, act) {
  const dialog = modal(title, h("p", {}, text), h("div", { class: "actions" },
    button("Cancel", () => dialog.close()),
    button(label, async () => { await act(); dialog.close(); }, { class: "danger" })));
}

/**
 * A dialog; it goes away by Escape too.
 * @param {string} title
 * @param {Child[]} children
 */
export function modal(title, ...children) {
  const label = freshId("dialog");
  const gone = () => {
    dialog.remove();
    // What had the focus before may be gone too.
    if (document.activeElement === document.body) /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus();
  };
  const dialog = h("dialog", { "aria-labelledby": label, onclose: gone },
    h("header", {}, h("h2", { id: label }, title), h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => { dialog.close(); } }, "×")),
    ...children);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * A secret that is shown this once.
 * @param {string} title
 * @param {Child} text
 * @param {string} secret
 */
export const secretOnce = (title, text, secret) =>
  modal(title, h("p", {}, text), copyable(secret), h("p", { class: "muted" }, "It is shown this once. Whoever has it can use it."));

/**
 * Does something every few seconds, while the page is there and looked at.
 * @param {number} milliseconds
 * @param {Element} element
 * @param {() => unknown} act
 */
export function every(milliseconds, element, act) {
  const timer = setInterval(async () => {
    if (!element.isConnected) return clearInterval(timer);
    if (document.hidden) return;
    try {
      await act();
    } catch (error) {
      if (error.status === undefined) console.error(error);
    }
  }, milliseconds);
}
