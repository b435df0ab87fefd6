// The API client, authenticated by the session cookie.

const BASE = "/api/v1";

/** An error response: its status, code, text, and the invalid fields. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Partial<Omit<Api.Problem, "code">> & { code?: Api.ErrorCode | "unreachable" }} problem
   */
  constructor(status, problem) {
    super(problem.detail ?? (status >= 500 ? "The service is unavailable. Try again." : `Request refused (status ${status})`));
    this.status = status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
  }
}

/** @type {Api.PortalSession | null} */
let session = null;
/** @type {(reason: string | null) => unknown} */
let endHandler = () => {};

/** The current session, or null. */
export const currentSession = () => session;

/**
 * Whether the session's role includes this one.
 * @param {Api.ApiKey["role"]} role
 */
export function hasRole(role) {
  const roles = ["viewer", "publisher", "admin"];
  return roles.indexOf(session?.role ?? "") >= roles.indexOf(role);
}

/**
 * Registers the handler that gets the reason when the session ends, other than by signing out.
 * @param {typeof endHandler} handler
 */
export function onSessionEnd(handler) {
  endHandler = handler;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function call(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  // Sent with reads too: after another tab has replaced the session, this one must not show the other tenant's data.
  if (session) headers["x-csrf-token"] = session.csrfToken;
  let response;
  try {
    response = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw new ApiError(0, { code: "unreachable", detail: "The service is unreachable. Check your connection." });
  }
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (response.ok) return answer;
  if (session && response.status === 401) endSession("Your session has ended. Sign in again.");
  if (session && answer.code === "csrf_token") endSession(null);
  throw new ApiError(response.status, answer);
}

/**
 * Ends the session; the reason is null if another tab has replaced it.
 * @param {string | null} reason
 */
function endSession(reason) {
  session = null;
  endHandler(reason);
}

/** @param {Promise<{ data?: any }>} answer */
const data = async (answer) => (await answer).data;

/**
 * The member `data` of a GET.
 * @type {Get}
 */
export const get = (path) => data(call("GET", path));
/**
 * A page of a list: `{data, pagination}`.
 * @type {GetPage}
 */
export const page = (path, query = {}) => call("GET", path + queryOf(query));
/** @type {Post} */
export const post = (path, body = {}) => data(call("POST", path, body));
/**
 * The whole response body of a POST.
 * @type {PostFull}
 */
export const postFull = (path, body = {}) => call("POST", path, body);
/** @type {Put} */
export const put = (path, body) => data(call("PUT", path, body));
/** @type {Patch} */
export const patch = (path, body) => data(call("PATCH", path, body));
/** @type {Remove} */
export const remove = (path) => call("DELETE", path);

/**
 * A query string of the parameters that have a value.
 * @param {Query} query
 */
export function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/**
 * Every row of a list that is short by its nature; at most `maxPages` pages of 100.
 * @type {GetAll}
 */
export const all = async (path, maxPages = 10) => {
  /** @type {Row<typeof path>[]} */
  const rows = [];
  let cursor;
  for (let n = 0; n < maxPages; n += 1) {
    /** @type {Page<Row<typeof path>>} */
    const found = await page(path, { pageSize: 100, cursor });
    rows.push(...found.data);
    cursor = found.pagination.nextCursor;
    if (!cursor) break;
  }
  return rows;
};

/** Loads the session of the cookie, if there is one. */
export async function loadSession() {
  session = null;
  try {
    session = await get("/portal-session");
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  return session;
}

/**
 * Signs in by `{link}` or `{key}`.
 * @param {{ link: string } | { key: string }} proof
 */
export async function signIn(proof) {
  session = null;
  session = await post("/portal-session", proof);
  return session;
}

export async function signOut() {
  await remove("/portal-session");
  session = null;
}
