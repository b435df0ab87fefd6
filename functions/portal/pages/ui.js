// UI elements shared by all pages.

import { h, show, uniqueId } from "./dom.js";

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
function relative(moment) {
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return RELATIVE.format(Math.round(seconds / length), unit);
}

/**
 * A time relative to now, with the exact time as its tooltip.
 * @param {string | null | undefined} moment
 */
export function time(moment) {
  if (!moment) return "–";
  return h("time", { datetime: moment, title: new Date(moment).toString(), "data-time": moment }, relative(moment));
}

// Keeps relative times up to date.
setInterval(() => {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("time[data-time]"))) {
    const text = relative(element.dataset.time ?? "");
    if (element.textContent !== text) element.textContent = text;
  }
}, 5000);

/**
 * An absolute time with milliseconds.
 * @param {string} moment
 */
export const exactTime = (moment) => {
  const at = new Date(moment);
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return h("time", { datetime: moment, title: moment }, `${at.toLocaleString("en-GB", { hour12: false })}.${milliseconds}`);
};

/** @type {Record<string, string>} */
const TONES = {
  delivered: "good", processed: "good", completed: "good", created: "good", closed: "good", enabled: "good", current: "good",
  matched: "good", "not matched": "bad",
  failed: "bad", failing: "bad", "on hold": "bad", open: "bad", unauthenticated: "bad",
  retrying: "warn", paused: "warn", "half-open": "warn", queued: "warn", running: "warn", disabled: "warn", retag: "warn",
};

/**
 * A word in its colour; the detail is its tooltip.
 * @param {string} word
 * @param {string} [detail]
 */
export const badge = (word, detail) =>
  h("span", { class: `badge ${TONES[word] ?? ""}`, title: detail }, word);

/**
 * An id or a similarly long text: cut to the width, whole in the tooltip and when copied.
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
 * Runs an action, once at a time for each control, and shows its error.
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
 * Shows a notice for some seconds.
 * @param {string} text
 * @param {"good" | "bad"} [tone]
 */
export function notice(text, tone = "good") {
  const dismiss = h("button", { type: "button", class: "plain", "aria-label": "Dismiss", onclick: () => { element.remove(); } }, "×");
  const element = h("div", { class: `notice ${tone}` }, text, dismiss);
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
 * A text with a button that copies it.
 * @param {string} text
 */
export const copyable = (text) => h("div", { class: "copyable" }, h("code", {}, text), copyButton(text));

/**
 * Indented JSON; any other text unchanged.
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
 * A code block, which can be scrolled by keyboard too.
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
 * The heading of a page.
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
  const label = uniqueId("section");
  return h("section", { "aria-labelledby": label }, h("h2", { id: label }, title), ...children);
};

/**
 * A filter as text.
 * @param {{ field: string, operator: string, value?: unknown }} filter
 */
export const filterText = ({ field, operator, value }) => `${field} ${operator} ${JSON.stringify(value)}`;

/**
 * Why the filters of a subscription or an inbound webhook could not be evaluated, or are no longer valid.
 * @param {Api.FilterErrors | undefined} errors
 */
export const filterProblem = (errors) => errors && h("p", { class: "problem" }, errors.lastAt
  ? [`${errors.message} (`, counted(errors.count, "failure", "failures"), ", last ", time(errors.lastAt), ")"]
  : errors.message);

/**
 * Headers as `Name: value`.
 * @param {Record<string, string>} headers
 */
export const headerLines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}`);

/**
 * A text that is folded if it is long.
 * @param {string} text
 */
export const foldable = (text) => (text.length < 160
  ? h("code", {}, text)
  : h("details", {}, h("summary", {}, h("code", {}, `${text.slice(0, 120)}…`)), h("code", {}, text)));

/**
 * A list of names and values; a pair without a value is left out.
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
 * A table with columns `[title, (row) => cell, class?]`. On a narrow screen each row is a card.
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
 * A list that loads page by page: `load(query)` returns a page, `render(rows)` its element; `none` is shown for no rows.
 * @template T
 * @param {(query: { cursor?: string }) => Promise<Page<T>>} load
 * @param {(rows: T[]) => Child} render
 * @param {Child} none
 */
export async function paged(load, render, none) {
  const list = h("div", {});
  const more = h("div", { class: "more" });
  /** @type {T[]} */
  const rows = [];
  /** @param {string | null} [cursor] */
  async function next(cursor) {
    const found = await load(cursor ? { cursor } : {});
    rows.push(...found.data);
    const { nextCursor, total, totalIsLowerBound } = found.pagination;
    show(list, rows.length ? render(rows) : nextCursor ? null : none);
    const shown = rows.length ? `${number(rows.length)} of ${totalIsLowerBound ? "more than " : ""}${number(total)}` : "";
    show(more, shown, nextCursor && button("Show more", () => next(nextCursor)));
  }
  await next();
  return h("div", {}, list, more);
}

/** @type {(() => unknown) | undefined} */
let pending;

/**
 * Navigates to another page, and then runs an action there.
 * @param {string} address
 * @param {() => unknown} [then]
 */
export function navigate(address, then) {
  pending = then;
  if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = address;
}

/** Runs the action of the last navigation. */
export function afterNavigation() {
  const then = pending;
  pending = undefined;
  then?.();
}

/**
 * Replaces children and keeps the focus: on the element with the same text, or else at the same position.
 * @param {HTMLElement} element
 * @param {Child[]} children
 */
export function redraw(element, ...children) {
  const all = () =>
    [.../** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("a, button, input, select, summary, [tabindex]"))];
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  const index = all().indexOf(focused);
  show(element, ...children);
  if (index < 0) return;
  const now = all();
  const same = now.find((one) => one.tagName === focused.tagName && one.textContent === focused.textContent);
  (same ?? now[Math.min(index, now.length - 1)])?.focus();
}

export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/**
 * Asks before an action that cannot be undone.
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
 * A modal dialog; Escape closes it too.
 * @param {string} title
 * @param {Child[]} children
 */
export function modal(title, ...children) {
  const label = uniqueId("dialog");
  const closed = () => {
    dialog.remove();
    // The element that had the focus before may have been removed.
    if (document.activeElement === document.body) /** @type {HTMLElement | null} */ (document.querySelector("main h1"))?.focus();
  };
  const close = h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => { dialog.close(); } }, "×");
  const dialog = h("dialog", { "aria-labelledby": label, onclose: closed },
    h("header", {}, h("h2", { id: label }, title), close),
    ...children);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Shows a secret, which cannot be shown again.
 * @param {string} title
 * @param {Child} text
 * @param {string} secret
 */
export const showSecret = (title, text, secret) =>
  modal(title, h("p", {}, text), copyable(secret), h("p", { class: "muted" }, "Shown only once. Anyone who has it can use it."));

/**
 * Runs an action at an interval while the element is on the page and the tab is visible.
 * @param {number} milliseconds
 * @param {Element} element
 * @param {() => unknown} act
 */
export function poll(milliseconds, element, act) {
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
