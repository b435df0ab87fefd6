// The sign-in page.

import * as api from "./api.js";
import { h } from "./dom.js";
import { form, text } from "./form.js";

/**
 * @param {string | undefined} problem
 * @param {() => unknown} done
 */
export function signInPage(problem, done) {
  const key = text({
    name: "key", label: "API key", type: "password", required: true, placeholder: "stk_…", autocomplete: "current-password",
    help: "A tenant's key or the operator's. It opens a session of 12 hours and is not stored.",
  });
  const signIn = form("Sign in", [key], async ({ key }) => {
    try {
      await api.signIn({ key });
    } catch (error) {
      throw error.status === 401 ? new api.ApiError(401, { detail: "This key is not valid." }) : error;
    }
    await done();
  });
  return h("main", { class: "alone" },
    h("p", { class: "brand" }, h("span", { class: "mark", "aria-hidden": true }), "Stella", h("span", { class: "muted" }, "Webhooks")),
    h("h1", { tabindex: -1 }, "Sign in"),
    problem && h("p", { class: "summary", role: "alert" }, problem),
    signIn,
    h("p", { class: "muted" }, "No key? A colleague with a key can create a link for you: ",
      h("code", {}, "stella portal"), " or ", h("code", {}, "POST /api/v1/portal-links"), "."));
}
