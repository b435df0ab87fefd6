// Signing in by a key.

import * as api from "./api.js";
import { h } from "./dom.js";
import { form, text } from "./form.js";

/**
 * @param {string | undefined} problem
 * @param {() => unknown} done
 */
export function signInPage(problem, done) {
  const key = text({ name: "key", label: "API key", type: "password", required: true, placeholder: "stk_…", autocomplete: "current-password", help: "A tenant's key, or the operator's. It is exchanged for a session of 12 hours and not kept." });
  const sign = form("Sign in", [key], async ({ key }) => {
    try {
      await api.signIn({ key });
    } catch (error) {
      throw error.status === 401 ? new api.Refused(401, { detail: "This key is not valid." }) : error;
    }
    await done();
  });
  return h("main", { class: "alone" },
    h("p", { class: "brand" }, h("span", { class: "mark", "aria-hidden": true }), "Stella", h("span", { class: "muted" }, "Webhooks")),
    h("h1", { tabindex: -1 }, "Sign in"),
    problem && h("p", { class: "summary", role: "alert" }, problem),
    sign,
    h("p", { class: "muted" }, "Somebody with a key can send you a link instead: ", h("code", {}, "stella portal"), ", or ", h("code", {}, "POST /api/v1/portal-links"), "."));
}
