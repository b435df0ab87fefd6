// Forms: every field explained, checked as it is typed, and told what the API thinks of it.

import { freshId, h, show } from "./dom.js";
import { busy, button } from "./ui.js";

let isPressed = false;
addEventListener("pointerdown", () => { isPressed = true; }, true);
addEventListener("pointerup", () => { isPressed = false; }, true);
addEventListener("pointercancel", () => { isPressed = false; }, true);

/**
 * What is told moves what is below it, which may just be being clicked: the click is first.
 * @param {() => unknown} act
 */
function afterPress(act) {
  if (isPressed) addEventListener("pointerup", () => setTimeout(act), { once: true });
  else act();
}

/**
 * Where a mistake is, as people count: `filters[0].value` is in row 1.
 * @param {string} field
 */
export const place = (field) => field.replace(/\[(\d+)\]\.?/g, (_, index) => `, row ${Number(index) + 1}: `).replace(/: $/, "");

/**
 * A labelled control. `check(value)` says what is wrong, or nothing.
 * @template V
 * @param {Options<V> & { group?: boolean }} options
 * @param {HTMLElement} input
 * @param {() => V} read
 * @param {(value: V) => void} write
 * @returns {Control<V>}
 */
function control(options, input, read, write) {
  const id = freshId("field");
  const fault = h("p", { class: "fault", id: `${id}-fault` });
  const help = options.help && h("p", { class: "help", id: `${id}-help` }, options.help);
  const isGroup = options.group;
  if (!isGroup) input.id = id;
  input.setAttribute("aria-describedby", [help ? help.id : "", fault.id].filter(Boolean).join(" "));
  const label = isGroup
    ? h("legend", {}, options.label)
    : h("label", { for: id }, options.label, options.required && h("span", { class: "required", title: "required" }, " *"));
  const element = isGroup
    ? h("fieldset", { class: "field", "aria-describedby": fault.id }, label, help, input, fault)
    : h("div", { class: "field" }, label, input, help, fault);
  /** @type {string | undefined} */
  let refused;
  const own = {
    name: options.name ?? "",
    element,
    read,
    write,
    /** What the API thinks of it, until it is changed or sent again. */
    /** @param {string} [text] */
    refuse(text) {
      refused = text && refused ? `${refused} ${text}` : text;
      own.check();
    },
    check() {
      const value = read();
      const isMissing = options.required && (value === undefined || value === "" || (Array.isArray(value) && !value.length));
      const text = isMissing ? "This is needed." : options.check?.(value) ?? refused;
      show(fault, text ?? "");
      if (!isGroup) input.setAttribute("aria-invalid", text ? "true" : "false");
      return !text;
    },
    focus() {
      for (let part = element.closest("details"); part; part = part.parentElement?.closest("details") ?? null) part.open = true;
      /** @type {HTMLElement | null} */ (isGroup ? input.querySelector("input, select, button") : input)?.focus();
    },
  };
  let left = false;
  element.addEventListener("focusout", () => afterPress(() => { left = true; if (!element.hidden) own.check(); }));
  element.addEventListener("input", () => {
    refused = undefined;
    if (left || fault.textContent) own.check();
  });
  return own;
}

/**
 * A line of text.
 * @param {Options<string | undefined> & { type?: string, autocomplete?: string, maxlength?: number }} options
 */
export function text(options) {
  const input = h("input", { type: options.type ?? "text", value: options.value ?? "", placeholder: options.placeholder, autocomplete: options.autocomplete ?? "off", spellcheck: "false", maxlength: options.maxlength });
  return control(options, input, () => input.value.trim() || undefined, (value) => { input.value = value ?? ""; });
}

/**
 * A whole number between two bounds.
 * @param {Options<number | undefined> & { min: number, max: number }} options
 */
export function integer(options) {
  const { min, max } = options;
  const input = h("input", { type: "number", min, max, step: 1, inputmode: "numeric", value: options.value ?? "", placeholder: options.placeholder });
  const read = () => (input.value === "" ? undefined : Number(input.value));
  /** @param {number | undefined} value */
  const check = (value) => {
    if (input.validity.badInput || (value !== undefined && (!Number.isInteger(value) || value < min || value > max))) return `A whole number from ${min} to ${max}.`;
    return options.check?.(value);
  };
  return control({ ...options, check }, input, read, (value) => { input.value = String(value ?? ""); });
}

/**
 * One of several: `[value, label]`, or groups `[label, [[value, label]]]`.
 * @param {Options<string> & { choices: Choice[], onchange?: (value: string) => unknown }} options
 */
export function choice(options) {
  /** @type {(choice: Choice) => Element} */
  const option = ([value, label]) =>
    Array.isArray(label) ? h("optgroup", { label: value }, label.map(option)) : h("option", { value }, label);
  const input = h("select", { onchange: () => { options.onchange?.(input.value); } }, options.choices.map(option));
  input.value = options.value ?? input.options[0]?.value ?? "";
  return control(options, input, () => input.value, (value) => { input.value = value; });
}

/**
 * Yes or no.
 * @param {Options<boolean>} options
 */
export function toggle(options) {
  const input = h("input", { type: "checkbox", checked: options.value ?? false });
  const own = control(options, input, () => input.checked, (value) => { input.checked = value; });
  own.element.classList.add("toggle");
  return own;
}

/**
 * Many lines of text.
 * @param {Options<string> & { rows?: number }} options
 */
export function area(options) {
  const input = h("textarea", { rows: options.rows ?? 8, spellcheck: "false", value: options.value ?? "", placeholder: options.placeholder });
  return control(options, input, () => input.value, (value) => { input.value = value; });
}

/**
 * JSON; `read` gives what it says.
 * @param {Options & { rows?: number }} options
 * @returns {Control}
 */
export function json(options) {
  const own = area({ ...options, value: options.value === undefined ? "" : JSON.stringify(options.value, null, 2), check: (value) => { try { JSON.parse(value); return undefined; } catch (error) { return `This is not JSON: ${error.message}`; } } });
  return { ...own, read: () => JSON.parse(own.read()), write: (value) => own.write(JSON.stringify(value, null, 2)) };
}

/**
 * Texts, one a line.
 * @param {Options<string[]> & { rows?: number }} options
 */
export function lines(options) {
  const input = h("textarea", { rows: options.rows ?? 3, spellcheck: "false", placeholder: options.placeholder, value: (options.value ?? []).join("\n") });
  const read = () => input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return control(options, input, read, (value) => { input.value = value.join("\n"); });
}

/**
 * Some of several: `[value, label, help?]`.
 * @param {Options<string[]> & { choices: [value: string, label: string, help?: string][] }} options
 */
export function several(options) {
  const boxes = options.choices.map(([value, label, help]) => {
    const id = freshId("box");
    const box = h("input", { type: "checkbox", id, checked: options.value?.includes(value) ?? false });
    return { value, box, element: h("div", { class: "box" }, box, h("label", { for: id }, label, help && h("span", { class: "muted" }, " ", help))) };
  });
  const input = h("div", { class: "boxes" }, boxes.map(({ element }) => element));
  const read = () => boxes.filter(({ box }) => box.checked).map(({ value }) => value);
  /** @param {string[]} values */
  const write = (values) => boxes.forEach(({ value, box }) => { box.checked = values.includes(value); });
  return control({ ...options, group: true }, input, read, write);
}

/**
 * Rows of small controls: `columns` are `[name, label, make(value)]` whose element has a `value`.
 * @param {Options & { add: string, columns: Cells[], read?: (rows: Values[]) => unknown }} options
 * @returns {Control}
 */
export function rows(options) {
  const body = h("div", { class: "rows" });
  /** @param {Values} row */
  const add = (row = {}) => {
    const cells = options.columns.map(([name, label, make]) => {
      const cell = make(row[name]);
      cell.setAttribute("aria-label", label);
      cell.dataset.name = name;
      return cell;
    });
    const line = h("div", { class: "row" }, cells, h("button", { type: "button", class: "small", "aria-label": "Remove this row", onclick: () => { remove(line); } }, "×"));
    body.append(line);
    return line;
  };
  /** @param {HTMLElement} line */
  const remove = (line) => {
    const next = (line.nextElementSibling ?? line.previousElementSibling)?.querySelector("button") ?? more;
    line.remove();
    next.focus();
  };
  (options.value ?? []).forEach(add);
  const more = button(options.add, () => { /** @type {HTMLElement | null} */ (add().querySelector("input, select"))?.focus(); }, { class: "small" });
  const input = h("div", {}, body, more);
  const read = () => [...body.children]
    .map((line) => Object.fromEntries(/** @type {HTMLInputElement[]} */ ([...line.querySelectorAll("[data-name]")]).map((cell) => [cell.dataset.name, cell.value])))
    .filter((row) => Object.values(row).some(Boolean));
  return control({ ...options, group: true }, input, () => (options.read ? options.read(read()) : read()), (value) => { show(body); value.forEach(add); });
}

/** What the operators of filters are, and what they mean. */
const OPERATORS = ["equals", "notEquals", "contains", "startsWith", "matches", "in", "exists"];

/**
 * A value as it is typed: JSON where it is some, else a text.
 * @param {string} text
 * @returns {unknown}
 */
function typed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @param {unknown} value */
const untyped = (value) => (value === undefined ? "" : typeof value === "string" && typed(value) === value ? value : JSON.stringify(value));

/**
 * Filters: a path, an operator, and a value.
 * @param {Options<Api.Filter[]>} options
 */
export function filters(options) {
  return rows({
    ...options,
    add: "Add a filter",
    help: options.help,
    value: options.value?.map((filter) => ({ ...filter, value: untyped(filter.value) })),
    columns: [
      ["field", "Path", (value) => h("input", { type: "text", value: value ?? "", placeholder: options.placeholder, spellcheck: "false" })],
      ["operator", "Operator", (value) => h("select", {}, OPERATORS.map((name) => h("option", { value: name, selected: name === value }, name)))],
      ["value", "Value", (value) => h("input", { type: "text", value: value ?? "", placeholder: "production", spellcheck: "false" })],
    ],
    read: (all) => all.filter((row) => row.field || row.value).map((row) => ({ field: row.field, operator: row.operator, value: typed(row.value) })),
  });
}

/**
 * Filters over what a sender told.
 * @param {Api.Filter[] | undefined} value
 * @param {string} placeholder
 */
export const eventFilters = (value, placeholder) =>
  filters({ name: "filters", label: "Filters", value, placeholder, help: "Over the normalised event; its member payload is what the sender posted. All must match." });

/**
 * A form of controls. `act(values)` is done with what they say; what the API refuses is told at its field.
 * @param {string} label
 * @param {Field[]} controls
 * @param {(values: Values) => unknown} act
 * @param {Child[]} beside
 */
export function form(label, controls, act, ...beside) {
  const summary = h("div", { class: "summary", role: "alert" });
  /** @type {(all: Field[]) => Control[]} */
  const flat = (all) => all.flatMap((one) => ("controls" in one ? flat(one.controls) : one));
  const shown = () => flat(controls).filter((one) => !one.element.hidden);
  async function submit() {
    show(summary);
    for (const one of shown()) one.refuse();
    const wrong = shown().filter((one) => !one.check());
    if (wrong.length) {
      wrong[0].focus();
      return;
    }
    const values = Object.fromEntries(shown().map((one) => [one.name, one.read()]));
    try {
      await act(values);
    } catch (error) {
      if (!error.errors) throw error;
      /** @type {Api.Mistake[]} */
      const errors = error.errors;
      const rest = errors.filter(({ field, message }) => {
        const path = field.replace(/\[.*$/, "");
        const own = shown().find((one) => one.name === field) ?? shown().find((one) => path === one.name || path.startsWith(`${one.name}.`));
        own?.refuse(own.name === field ? message : `${place(field)} ${message}.`);
        return !own;
      });
      show(summary, errors.length ? null : error.message, rest.map(({ field, message }) => h("p", {}, h("code", {}, field), " ", message)));
      shown().find((one) => errors.some(({ field }) => field.startsWith(one.name)))?.focus();
    }
  }
  const send = h("button", { class: "primary" }, label);
  return h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); void busy(send, submit); } },
    controls.map((one) => one.element), summary, h("div", { class: "actions" }, send, ...beside));
}

/**
 * Part of a form under a heading, perhaps folded.
 * @param {string} title
 * @param {boolean} isOpen
 * @param {Field[]} controls
 * @returns {Part}
 */
export const part = (title, isOpen, ...controls) => ({
  controls,
  element: h("details", { class: "part", open: isOpen }, h("summary", {}, title), controls.map((one) => one.element)),
});
