// Talking to the server: JSON both ways, the session's CSRF token, refusals as ApiError.

/** @typedef {import("./types.js").Account} Account */

/** A refusal. status 0: there is no connection. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {number} retryAfter seconds, 0 if unknown
   * @param {string} rule of an answer that was broken
   */
  constructor(status, code, message, retryAfter = 0, rule = "") {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
    this.rule = rule;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** @type {Promise<Account | null> | null} */
let known = null;
/** @type {(() => Promise<void>) | null} */
let expired = null;
let bearer = "";

/** Who is signed in, asked once; null for nobody. Throws ApiError if the server cannot be reached. */
export function me() {
  known ??= request("GET", "/api/auth/me", undefined, "").catch((error) => {
    known = null;
    if (error.status === 401) return null;
    throw error;
  });
  return known;
}

/**
 * Show this token with every request from now on, in place of a cookie: a page in another site's frame has none.
 * @param {string} token
 */
export function useBearer(token) {
  bearer = token;
  forgetMe();
}

/** Whether the session is this page's alone. */
export const hasBearer = () => bearer !== "";

/** Ask again who is signed in; after signing in or out. */
export function forgetMe() {
  known = null;
}

/**
 * What to do when the session has ended: a promise that resolves when there is one again. The request is then
 * sent once more.
 * @param {() => Promise<void>} callback
 */
export function onExpired(callback) {
  expired = callback;
}

/**
 * A request; its reply. Throws ApiError.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {AbortSignal} [signal] to give it up; then it looks as if there were no connection
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, signal) {
  for (let again = true; ; again = false) {
    try {
      const csrf = method === "GET" ? "" : ((await me())?.csrf ?? "");
      return await request(method, path, body, csrf, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || !again) throw error;
      if (error.status === 401 && error.code !== "login" && expired) await expired();
      else if (error.code !== "csrf") throw error;
      forgetMe();
    }
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {string} csrf
 * @param {AbortSignal} [signal]
 */
async function request(method, path, body, csrf, signal) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const text = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    // a page that is closed still sends what is small enough
    response = await fetch(path, { method, headers, body: text, signal, keepalive: (text?.length ?? 0) < 60_000 && method !== "GET" });
  } catch {
    throw new ApiError(0, "offline", "no connection to the server");
  }
  const reply = await response.json().catch(() => null);
  if (response.ok) return reply;
  const { code = "error", rule = "", message = `the server answered ${response.status}` } = reply?.error ?? {};
  throw new ApiError(response.status, code, message, Number(response.headers.get("Retry-After")) || 0, rule);
}
