import { createHmac, timingSafeEqual } from "node:crypto";
import type { StickyCookie } from "../../core/balance-settings.ts";
import { cookieValue } from "../../core/cookies.ts";
import type { Asker } from "./key-source.ts";

/** Whom a cookie can lead to. */
export interface Addressed {
  readonly address: string;
}

/** What cookies came to: `kept` led to their endpoint, `moved` to one that takes nothing new, `tampered` were not made here. */
export type StickyCounts = { new: number; kept: number; moved: number; tampered: number };

/** Whose cookie it is, and what signs it. */
export type CookieAffinityOptions = {
  readonly upstream: string;
  readonly cookie: StickyCookie;
  /** The secret that cookies are signed with. */
  readonly key: string;
  /** Where it goes on counting. */
  readonly counts?: StickyCounts | undefined;
};

/**
 * Leads clients back to their endpoint by a cookie. It holds a mark of the endpoint, which says nothing to anybody without the key, and a
 * signature; so nothing has to be remembered, and every worker, gateway and restart with the same key reads it alike.
 */
export class CookieAffinity<E extends Addressed> {
  readonly counts: StickyCounts;
  readonly #options: CookieAffinityOptions;
  readonly #values = new WeakMap<E, string>();
  #usable: readonly E[] = [];
  /** By their marks; made when it is needed, since many endpoints may change at a time. */
  #byMark: ReadonlyMap<string, E> | undefined;

  constructor(options: CookieAffinityOptions) {
    this.#options = options;
    this.counts = options.counts ?? { new: 0, kept: 0, moved: 0, tampered: 0 };
  }

  /** Those that take something new, or would. */
  set usable(endpoints: readonly E[]) {
    this.#usable = endpoints;
    this.#byMark = undefined;
  }

  /** The endpoint that an exchange belongs to, if it is usable. */
  find(asker: Asker): E | undefined {
    const value = cookieValue(asker.headers, this.#options.cookie.name);
    if (value === undefined) return undefined;
    this.#byMark ??= new Map(this.#usable.map((endpoint) => [markIn(this.#valueOf(endpoint)), endpoint]));
    const endpoint = this.#byMark.get(markIn(value));
    return endpoint !== undefined && isEqual(value, this.#valueOf(endpoint)) ? endpoint : undefined;
  }

  /** The same, and counted. */
  follow(asker: Asker): E | undefined {
    const value = cookieValue(asker.headers, this.#options.cookie.name);
    const endpoint = this.find(asker);
    if (value === undefined) this.counts.new++;
    else if (endpoint !== undefined) this.counts.kept++;
    else if (this.#isOurs(value)) this.counts.moved++;
    else this.counts.tampered++;
    return endpoint;
  }

  /** The Set-Cookie for a client that is now served by this endpoint; undefined if it has that cookie already. */
  cookieFor(endpoint: E, asker: Asker & { readonly isSecure: boolean }): string | undefined {
    const { cookie } = this.#options;
    const value = this.#valueOf(endpoint);
    if (cookieValue(asker.headers, cookie.name) === value) return undefined;
    const age = cookie.ttlMs === 0 ? "" : `; Max-Age=${Math.ceil(cookie.ttlMs / 1000)}`;
    const isSecure = cookie.secure === "auto" ? asker.isSecure : cookie.secure;
    const secure = isSecure ? "; Secure" : "";
    return `${cookie.name}=${value}; Path=${cookie.path}${age}; HttpOnly; SameSite=${sameSites[cookie.sameSite]}${secure}`;
  }

  #valueOf(endpoint: E): string {
    const known = this.#values.get(endpoint);
    if (known !== undefined) return known;
    const value = this.#signed(this.#hmac(`mark ${endpoint.address}`, 9));
    this.#values.set(endpoint, value);
    return value;
  }

  #isOurs(value: string): boolean {
    return isEqual(value, this.#signed(markIn(value)));
  }

  #signed(mark: string): string {
    return `${mark}.${this.#hmac(`sign ${mark}`, 18)}`;
  }

  #hmac(text: string, bytes: number): string {
    const { key, upstream } = this.#options;
    return createHmac("sha256", key).update(`${upstream} ${text}`).digest().toString("base64url", 0, bytes);
  }
}

const sameSites = { lax: "Lax", strict: "Strict", none: "None" } as const;

function markIn(value: string): string {
  const dot = value.indexOf(".");
  return dot < 0 ? value : value.slice(0, dot);
}

/** In a time that does not tell how much of it is equal. */
function isEqual(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
