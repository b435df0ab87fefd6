// The application: the session, the layout, and the routing between pages.

import * as api from "./api.js";
import { h, show } from "./dom.js";
import { afterNavigation, busy, button, closeDialogs, empty, link, notice } from "./ui.js";

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
let renders = 0;

/** The route of the address: `#/deliveries/ID?status=failed` as its parts and its query. */
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  // Parts become path segments of API requests: anything but an id or a name is refused.
  const isValid = parts.every((part) => /^[\w-]+$/.test(part));
  return { parts: isValid ? parts : ["unknown"], query: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * The pages of the session: the operator has no tenant, and only the settings.
 * @param {unknown} tenant
 */
const pagesFor = (tenant) => (tenant ? PAGES : PAGES.filter(([name]) => name === "settings"));

/** @param {string | undefined} current */
function layout(current) {
  const { role, tenant } = /** @type {Api.PortalSession} */ (api.currentSession());
  /** @param {string[]} page */
  const item = ([name, title]) =>
    h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === current && "page" }, title));
  /** @param {Event} event */
  const skip = (event) => { event.preventDefault(); main.querySelector("h1")?.focus(); };
  const signOut = async () => { await api.signOut(); await signIn(); };
  return [
    h("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content"),
    h("header", { class: "bar" },
      h("a", { class: "brand", href: "#/" },
        h("span", { class: "mark", "aria-hidden": true }), "Stella", h("span", { class: "muted" }, "Webhooks")),
      h("nav", { "aria-label": "Pages" }, h("ul", {}, pagesFor(tenant).map(item))),
      h("div", { class: "who" },
        h("span", { title: tenant?.name ?? "Operator" },
          h("strong", {}, tenant?.name ?? "Operator"), tenant && h("span", { class: "muted" }, ` ${role}`)),
        button("Sign out", signOut, { class: "small" }))),
    main,
  ];
}

/**
 * The role that a page requires, by the last part of its address.
 * @type {Record<string, Api.ApiKey["role"]>}
 */
const ROLES = { new: "admin", edit: "admin", publish: "publisher" };

/** @returns {Promise<void>} */
async function render() {
  if (location.hash.startsWith("#link=")) return start();
  if (!api.currentSession()) return;
  renders += 1;
  const current = renders;
  const { parts, query } = route();
  const { tenant } = /** @type {Api.PortalSession} */ (api.currentSession());
  const pages = pagesFor(tenant);
  const [name, title, file] = pages.find(([name]) => name === parts[0]) ?? (tenant && parts[0] ? [] : pages[0]);
  closeDialogs();
  show(app, layout(name));
  app.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  main.setAttribute("aria-busy", "true");
  let content;
  try {
    if (!file) throw new api.ApiError(404, {});
    const role = ROLES[parts.at(-1) ?? ""];
    if (role && !api.hasRole(role)) {
      throw new api.ApiError(403, { detail: `This page requires the role ${role}; yours is ${api.currentSession()?.role}.` });
    }
    content = await (await import(file)).render(parts.slice(1), query);
  } catch (error) {
    if (error.status === undefined) console.error(error);
    if (!api.currentSession()) return;
    content = errorPage(error);
  }
  // The user may have navigated on meanwhile.
  if (current !== renders) return;
  show(main, content);
  main.removeAttribute("aria-busy");
  const heading = main.querySelector("h1");
  document.title = `${heading?.textContent ?? title ?? "Not found"} · Stella`;
  if (current > 1) heading?.focus({ preventScroll: true });
  if (current > 1) scrollTo(0, 0);
  afterNavigation();
}

/**
 * The page that is shown in place of one that cannot be loaded.
 * @param {Error & { status?: number }} error
 */
function errorPage(error) {
  /** @type {(title: string, text: string, ...actions: Child[]) => Child} */
  const page = (title, text, ...actions) => [h("h1", { tabindex: -1 }, title), empty(title, text, ...actions)];
  if (error.status === 404) return page("Not found", "It may have been deleted.");
  if (error.status !== undefined) return page("Cannot load this page", error.message, button("Try again", render));
  return page("Cannot load this page", "The page has an error, or a new version of the portal was deployed.",
    button("Reload", () => location.reload()));
}

/**
 * Shows content without the layout.
 * @param {string} title
 * @param {Child} content
 */
function showStandalone(title, content) {
  renders += 1;
  closeDialogs();
  document.title = `${title} · Stella`;
  show(app, content);
}

/** @param {string} [problem] */
async function signIn(problem) {
  const { signInPage } = await import("./signin.js");
  showStandalone("Sign in", signInPage(problem, render));
}

/**
 * The session has ended; without a reason, because another tab has replaced it.
 * @param {string | null} reason
 */
function sessionEnded(reason) {
  if (reason !== null) return signIn(reason);
  return showStandalone("Session replaced", h("main", { class: "alone" },
    h("h1", { tabindex: -1 }, "Session replaced"),
    empty("Another tab signed in", "Another tab of this browser signed in, possibly as another user. Your last action was not carried out.",
      button("Continue with the new session", () => location.reload()))));
}

/** @returns {Promise<void>} */
async function start() {
  const used = location.hash.match(/^#link=(.+)$/);
  let problem;
  if (used) {
    // A link works once: it must not stay in the address bar or in the history.
    history.replaceState(null, "", location.pathname);
    try {
      await api.signIn({ link: used[1] });
      return render();
    } catch (error) {
      problem = error.message;
    }
  }
  if (!(await api.loadSession())) return signIn(problem);
  if (problem) notice(problem, "bad");
  return render();
}

api.onSessionEnd(sessionEnded);
addEventListener("hashchange", render);
void busy(app, async () => {
  try {
    await start();
  } catch (error) {
    showStandalone("Stella", h("main", { class: "alone" },
      h("h1", {}, "Stella Webhooks"),
      empty("Service unreachable", error.message, link("/portal", "Try again"))));
    throw error;
  }
});
