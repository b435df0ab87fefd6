// Forms: labelled controls, checked while the user types, with the API's errors at their fields.

import { h, show, uniqueId } from "./dom.js";
import { OPERATORS } from "./schema.js";
import { busy, button } from "./ui.js";

let isPressed = false;
addEventListener("pointerdown", () => { isPressed = true; }, true);
addEventListener("pointerup", () => { isPressed = false; }, true);
addEventListener("pointercancel", () => { isPressed = false; }, true);

/**
 * Runs an action after a press of the pointer: an error text moves the elements below it, and the click would miss.
 * @param {() => unknown} act
 */
function afterPress(act) {
  if (isPressed) addEventListener("pointerup", () => setTimeout(act), { once: true });
  else act();
}

/**
 * The API's name of a field for people: `filters[0].value` becomes row 1.
 * @param {string} field
 */
export const fieldName = (field) => field.replace(/\[(\d+)\]\.?/g, (_, index) => `, row ${Number(index) + 1}: `).replace(/: $/, "");

/**
 * A labelled control. `check(value)` returns the error text, if any.
 * @template V
 * @param {Options<V> & { group?: boolean }} options
 * @param {HTMLElement} input
 * @param {() => V} read
 * @param {(value: V) => void} write
 * @returns {Control<V>}
 */
function control(options, input, read, write) {
  const id = uniqueId("field");
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
  let apiError;
  const own = {
    name: options.name ?? "",
    element,
    read,
    write,
    /**
     * Adds an error of the API, which stays until the value changes; without a text, removes it.
     * @param {string} [text]
     */
    addError(text) {
      apiError = text && apiError ? `${apiError} ${text}` : text;
      own.check();
    },
    check() {
      const value = read();
      const isMissing = options.required && (value === undefined || value === "" || (Array.isArray(value) && !value.length));
      const text = isMissing ? "Required." : options.check?.(value) ?? apiError;
      show(fault, text ?? "");
      if (!isGroup) input.setAttribute("aria-invalid", text ? "true" : "false");
      return !text;
    },
    focus() {
      for (let part = element.closest("details"); part; part = part.parentElement?.closest("details") ?? null) part.open = true;
      /** @type {HTMLElement | null} */ (isGroup ? input.querySelector("input, select, button") : input)?.focus();
    },
  };
  let wasLeft = false;
  element.addEventListener("focusout", () => afterPress(() => { wasLeft = true; if (!element.hidden) own.check(); }));
  element.addEventListener("input", () => {
    apiError = undefined;
    if (wasLeft || fault.textContent) own.check();
  });
  return own;
}

/**
 * A line of text.
 * @param {Options<string | undefined> & { type?: string, autocomplete?: string, maxlength?: number }} options
 */
export function text(options) {
  const input = h("input", {
    type: options.type ?? "text", value: options.value ?? "", placeholder: options.placeholder,
    autocomplete: options.autocomplete ?? "off", spellcheck: "false", maxlength: options.maxlength,
  });
  return control(options, input, () => input.value.trim() || undefined, (value) => { input.value = value ?? ""; });
}

/**
 * An integer within bounds.
 * @param {Options<number | undefined> & { min: number, max: number }} options
 */
export function integer(options) {
  const { min, max } = options;
  const input = h("input", {
    type: "number", min, max, step: 1, inputmode: "numeric", value: options.value ?? "", placeholder: options.placeholder,
  });
  const read = () => (input.value === "" ? undefined : Number(input.value));
  /** @param {number | undefined} value */
  const isOutside = (value) => value !== undefined && (!Number.isInteger(value) || value < min || value > max);
  /** @param {number | undefined} value */
  const check = (value) =>
    input.validity.badInput || isOutside(value) ? `Must be an integer from ${min} to ${max}.` : options.check?.(value);
  return control({ ...options, check }, input, read, (value) => { input.value = String(value ?? ""); });
}

/**
 * A select of `[value, label]`, or of groups `[label, [[value, label]]]`.
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
 * A checkbox.
 * @param {Options<boolean>} options
 */
export function toggle(options) {
  const input = h("input", { type: "checkbox", checked: options.value ?? false });
  const own = control(options, input, () => input.checked, (value) => { input.checked = value; });
  own.element.classList.add("toggle");
  return own;
}

/**
 * A text area.
 * @param {Options<string> & { rows?: number }} options
 */
export function area(options) {
  const input = h("textarea", {
    rows: options.rows ?? 8, spellcheck: "false", value: options.value ?? "", placeholder: options.placeholder,
  });
  return control(options, input, () => input.value, (value) => { input.value = value; });
}

/**
 * A text area for JSON; `read` returns the parsed value.
 * @param {Options & { rows?: number }} options
 * @returns {Control}
 */
export function json(options) {
  /** @param {unknown} value */
  const format = (value) => (value === undefined ? "" : JSON.stringify(value, null, 2));
  /** @param {string} value */
  const check = (value) => {
    try {
      JSON.parse(value);
    } catch (error) {
      return `Invalid JSON: ${error.message}`;
    }
    return undefined;
  };
  const own = area({ ...options, value: format(options.value), check });
  return { ...own, read: () => JSON.parse(own.read()), write: (value) => own.write(format(value)) };
}

/**
 * A list of texts, one per line.
 * @param {Options<string[]> & { rows?: number }} options
 */
export function lines(options) {
  const input = h("textarea", {
    rows: options.rows ?? 3, spellcheck: "false", placeholder: options.placeholder, value: (options.value ?? []).join("\n"),
  });
  const read = () => input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return control(options, input, read, (value) => { input.value = value.join("\n"); });
}

/**
 * A group of checkboxes: `[value, label, help?]`.
 * @param {Options<string[]> & { choices: [value: string, label: string, help?: string][] }} options
 */
export function several(options) {
  const boxes = options.choices.map(([value, label, help]) => {
    const id = uniqueId("box");
    const box = h("input", { type: "checkbox", id, checked: options.value?.includes(value) ?? false });
    const text = h("label", { for: id }, label, help && h("span", { class: "muted" }, " ", help));
    return { value, box, element: h("div", { class: "box" }, box, text) };
  });
  const input = h("div", { class: "boxes" }, boxes.map(({ element }) => element));
  const read = () => boxes.filter(({ box }) => box.checked).map(({ value }) => value);
  /** @param {string[]} values */
  const write = (values) => boxes.forEach(({ value, box }) => { box.checked = values.includes(value); });
  return control({ ...options, group: true }, input, read, write);
}

/**
 * Rows of small controls: `columns` are `[name, label, create(value)]`; the created elements have a `value`.
 * @param {Options & { add: string, columns: Cells[], read?: (rows: Values[]) => unknown }} options
 * @returns {Control}
 */
export function rows(options) {
  const body = h("div", { class: "rows" });
  /** @param {Values} row */
  const add = (row = {}) => {
    const cells = options.columns.map(([name, label, create]) => {
      const cell = create(row[name]);
      cell.setAttribute("aria-label", label);
      cell.dataset.name = name;
      return cell;
    });
    const line = h("div", { class: "row" }, cells,
      h("button", { type: "button", class: "small", "aria-label": "Remove row", onclick: () => { remove(line); } }, "×"));
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
  const addAndFocus = () => { /** @type {HTMLElement | null} */ (add().querySelector("input, select"))?.focus(); };
  const more = button(options.add, addAndFocus, { class: "small" });
  const input = h("div", {}, body, more);
  const readAll = () => [...body.children]
    .map((line) => /** @type {HTMLInputElement[]} */ ([...line.querySelectorAll("[data-name]")]))
    .map((cells) => Object.fromEntries(cells.map((cell) => [cell.dataset.name, cell.value])))
    .filter((row) => Object.values(row).some(Boolean));
  const read = () => (options.read ? options.read(readAll()) : readAll());
  return control({ ...options, group: true }, input, read, (value) => { show(body); value.forEach(add); });
}

/**
 * The value of a typed text: its JSON, or the text itself.
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
const untyped = (value) =>
  (value === undefined ? "" : typeof value === "string" && typed(value) === value ? value : JSON.stringify(value));

/**
 * Filters: a path, an operator, and a value.
 * @param {Options<Api.Filter[]>} options
 */
export function filters(options) {
  /**
   * @param {string | undefined} value
   * @param {string | undefined} placeholder
   */
  const input = (value, placeholder) => h("input", { type: "text", value: value ?? "", placeholder, spellcheck: "false" });
  /** @param {string | undefined} value */
  const operator = (value) => h("select", {}, OPERATORS.map((name) => h("option", { value: name, selected: name === value }, name)));
  return rows({
    ...options,
    add: "Add filter",
    help: options.help,
    value: options.value?.map((filter) => ({ ...filter, value: untyped(filter.value) })),
    columns: [
      ["field", "Path", (value) => input(value, options.placeholder)],
      ["operator", "Operator", operator],
      ["value", "Value", (value) => input(value, "production")],
    ],
    read: (all) => all
      .filter((row) => row.field || row.value)
      .map((row) => ({ field: row.field, operator: row.operator, value: typed(row.value) })),
  });
}

/**
 * Filters over a normalised inbound event.
 * @param {Api.Filter[] | undefined} value
 * @param {string} placeholder
 */
export const eventFilters = (value, placeholder) => filters({
  name: "filters", label: "Filters", value, placeholder,
  help: "Paths are JSONPath over the normalised event; $.payload is the sender's request body. All filters must match.",
});

/**
 * A form of controls. Submitting calls `act(values)`; the API's errors are shown at their fields.
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
    for (const one of shown()) one.addError();
    const invalid = shown().filter((one) => !one.check());
    if (invalid.length) {
      invalid[0].focus();
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
        const own = shown().find((one) => one.name === field)
          ?? shown().find((one) => path === one.name || path.startsWith(`${one.name}.`));
        own?.addError(own.name === field ? message : `${fieldName(field)} ${message}.`);
        return !own;
      });
      show(summary, errors.length ? null : error.message,
        rest.map(({ field, message }) => h("p", {}, h("code", {}, field), " ", message)));
      shown().find((one) => errors.some(({ field }) => field.startsWith(one.name)))?.focus();
    }
  }
  const send = h("button", { class: "primary" }, label);
  return h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); void busy(send, submit); } },
    controls.map((one) => one.element), summary, h("div", { class: "actions" }, send, ...beside));
}

/**
 * A foldable part of a form under a title.
 * @param {string} title
 * @param {boolean} isOpen
 * @param {Field[]} controls
 * @returns {Part}
 */
export const part = (title, isOpen, ...controls) => ({
  controls,
  element: h("details", { class: "part", open: isOpen }, h("summary", {}, title), controls.map((one) => one.element)),
});
