// The portal: who is signed in, which page is shown, and the way between them.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { arrived, busy, button, closeDialogs, empty, link, notice } from "./ui.js";

const PAGES = [
  ["overview", "Overview", "./overview.js"],
  ["deliveries", "Deliveries", "./deliveries.js"],
  ["subscriptions", "Subscriptions", "./subscriptions.js"],
  ["inbound", "Inbound", "./inbound.js"],
  ["components", "Components", "./components.js"],
  ["events", "Events", "./events.js"],
  ["settings", "Settings", "./settings.js"],
];

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const main = h("main", { id: "main" });
let shown = 0;

/** `#/deliveries/ID?status=failed` as its parts and its query. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  // What is here becomes a part of the API's addresses: it leads to nothing else.
  const isOurs = parts.every((part) => /^[\w-]+$/.test(part));
  return { parts: isOurs ? parts : ["unknown"], query: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * The operator has no tenant whose things it could look at.
 * @param {unknown} tenant
 */
const pagesFor = (tenant) => (tenant ? PAGES : PAGES.filter(([name]) => name === "settings"));

/** @param {string | undefined} current */
function frame(current) {
  const { role, tenant } = /** @type {Api.PortalSession} */ (api.who());
  const pages = pagesFor(tenant);
  /** @param {string[]} page */
  const item = ([name, title]) => h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === current && "page" }, title));
  const leave = async () => { await api.signOut(); await signIn(); };
  return [
    h("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.querySelector("h1")?.focus(); } }, "Skip to the content"),
    h("header", { class: "bar" },
      h("a", { class: "brand", href: "#/" }, h("span", { class: "mark", "aria-hidden": true }), "Stella", h("span", { class: "muted" }, "Webhooks")),
      h("nav", { "aria-label": "Pages" }, h("ul", {}, pages.map(item))),
      h("div", { class: "who" },
        h("span", { title: tenant?.name ?? "The operator" }, h("strong", {}, tenant?.name ?? "Operator"), tenant && h("span", { class: "muted" }, ` ${role}`)),
        button("Sign out", leave, { class: "small" }))),
    main,
  ];
}

/**
 * What only some may look at, by the last part of its address.
 * @type {Record<string, Api.ApiKey["role"]>}
 */
const ROLES = { new: "admin", edit: "admin", publish: "publisher" };

/** @returns {Promise<void>} */
async function render() {
  if (location.hash.startsWith("#link=")) return begin();
  if (!api.who()) return;
  shown += 1;
  const turn = shown;
  const { parts, query } = address();
  const { tenant } = /** @type {Api.PortalSession} */ (api.who());
  const pages = pagesFor(tenant);
  const [name, title, file] = pages.find(([name]) => name === parts[0]) ?? (tenant && parts[0] ? [] : pages[0]);
  closeDialogs();
  show(app, frame(name));
  app.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  main.setAttribute("aria-busy", "true");
  let content;
  try {
    if (!file) throw new api.Refused(404, {});
    const role = ROLES[parts.at(-1) ?? ""];
    if (role && !api.may(role)) throw new api.Refused(403, { detail: `It takes the role ${role}, and yours is ${api.who()?.role}.` });
    content = await (await import(file)).render(parts.slice(1), query);
  } catch (error) {
    if (error.status === undefined) console.error(error);
    if (!api.who()) return;
    content = failure(error);
  }
  // Somebody may have gone on meanwhile.
  if (turn !== shown) return;
  show(main, content);
  main.removeAttribute("aria-busy");
  const heading = main.querySelector("h1");
  document.title = `${heading?.textContent ?? title ?? "Not found"} · Stella`;
  if (turn > 1) heading?.focus({ preventScroll: true });
  if (turn > 1) scrollTo(0, 0);
  arrived();
}

/**
 * What is shown where a page cannot be.
 * @param {Error & { status?: number }} error
 */
function failure(error) {
  /** @type {(title: string, text: string, ...actions: Child[]) => Child} */
  const tell = (title, text, ...actions) => [h("h1", { tabindex: -1 }, title), empty(title, text, ...actions)];
  if (error.status === 404) return tell("Not found", "There is no such thing, or it was deleted.");
  if (error.status !== undefined) return tell("This cannot be shown", error.message, button("Try again", render));
  return tell("This cannot be shown", "Something in this page is broken, or the portal was replaced by another version.", button("Load it anew", () => location.reload()));
}

/**
 * Shows something in the place of all pages.
 * @param {string} title
 * @param {Child} content
 */
function alone(title, content) {
  shown += 1;
  closeDialogs();
  document.title = `${title} · Stella`;
  show(app, content);
}

/** @param {string} [problem] */
async function signIn(problem) {
  const { signInPage } = await import("./signin.js");
  alone("Sign in", signInPage(problem, render));
}

/**
 * The session is over; without a reason, because another tab's took its place.
 * @param {string | null} why
 */
function ended(why) {
  if (why !== null) return signIn(why);
  return alone("Another session", h("main", { class: "alone" }, h("h1", { tabindex: -1 }, "Another session"),
    empty("Somebody signed in anew", "Another tab of this browser has signed in, perhaps as somebody else. What was being done here was not done.", button("Go on as who is signed in now", () => location.reload()))));
}

/** @returns {Promise<void>} */
async function begin() {
  const used = location.hash.match(/^#link=(.+)$/);
  let problem;
  if (used) {
    // A link is used once: it must not stay where it is copied from or gone back to.
    history.replaceState(null, "", location.pathname);
    try {
      await api.signIn({ link: used[1] });
      return render();
    } catch (error) {
      problem = error.message;
    }
  }
  if (!(await api.resume())) return signIn(problem);
  if (problem) notice(problem, "bad");
  return render();
}

api.whenEnded(ended);
addEventListener("hashchange", render);
void busy(app, async () => {
  try {
    await begin();
  } catch (error) {
    alone("Stella", h("main", { class: "alone" }, h("h1", {}, "Stella Webhooks"), empty("The service cannot be reached", error.message, link("/portal", "Try again"))));
    throw error;
  }
});
