// The API, called with the session's cookie.

const BASE = "/api/v1";

/** What the API refused: its code, a text for people, and every mistake by its field. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {Partial<Api.Problem>} problem
   */
  constructor(status, problem) {
    super(problem.detail ?? (status >= 500 ? "The service cannot answer now. Try again." : `Refused (${status})`));
    this.status = status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
  }
}

/** @type {Api.PortalSession | null} */
let session = null;
/** @type {(why: string | null) => unknown} */
let onEnd = () => {};

/** Who is signed in, or null. */
export const who = () => session;

/**
 * Whether who is signed in may do what this role may.
 * @param {Api.ApiKey["role"]} role
 */
export function may(role) {
  const roles = ["viewer", "publisher", "admin"];
  return roles.indexOf(session?.role ?? "") >= roles.indexOf(role);
}

/**
 * Calls this when a session has ended by itself, with the reason.
 * @param {typeof onEnd} act
 */
export function whenEnded(act) {
  onEnd = act;
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
  // With reads too: a tab whose browser has got another session must not show that one's things as its own.
  if (session) headers["x-csrf-token"] = session.csrfToken;
  let response;
  try {
    response = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body), credentials: "same-origin" });
  } catch {
    throw new Refused(0, { code: "unreachable", detail: "The service cannot be reached. Are you online?" });
  }
  const text = await response.text();
  const answer = text ? JSON.parse(text) : {};
  if (response.ok) return answer;
  if (session && response.status === 401) end("The session has ended. Sign in again.");
  if (session && answer.code === "csrf_token") end(null);
  throw new Refused(response.status, answer);
}

/**
 * The session is over: why, or null where another tab has signed in as somebody else.
 * @param {string | null} why
 */
function end(why) {
  session = null;
  onEnd(why);
}

/** @param {Promise<{ data?: any }>} answer */
const data = async (answer) => (await answer).data;

/**
 * One thing.
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
 * The whole answer, where it has more than data.
 * @type {PostWhole}
 */
export const postWhole = (path, body = {}) => call("POST", path, body);
/** @type {Put} */
export const put = (path, body) => data(call("PUT", path, body));
/** @type {Patch} */
export const patch = (path, body) => data(call("PATCH", path, body));
/** @type {Remove} */
export const remove = (path) => call("DELETE", path);

/**
 * A query of what is given.
 * @param {Query} query
 */
export function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/**
 * Every row of a list that is short by its nature, as far as some pages go.
 * @type {GetAll}
 */
export const all = async (path, pages = 10) => {
  /** @type {Row<typeof path>[]} */
  const rows = [];
  let cursor;
  for (let n = 0; n < pages; n += 1) {
    /** @type {Page<Row<typeof path>>} */
    const found = await page(path, { pageSize: 100, cursor });
    rows.push(...found.data);
    cursor = found.pagination.nextCursor;
    if (!cursor) break;
  }
  return rows;
};

/** Finds out who is signed in. */
export async function resume() {
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
