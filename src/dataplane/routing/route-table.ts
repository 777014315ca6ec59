import type { Exchange, RequestHead } from "../../core/exchange.ts";
import type { RouteSettings } from "../../core/snapshot.ts";
import { type Condition, compileConditions } from "./conditions.ts";
import { PathTable, type SharedRests } from "./path-table.ts";

/** A route and what its match shall lead to. */
export type RouteEntry<T> = { readonly settings: RouteSettings; readonly value: T };

type Candidate<T> = { readonly value: T; readonly conditions: readonly Condition[]; readonly rank: number };

/**
 * Finds the most specific route of a request: host first (exact, longer wildcard, any), then path (exact, longer prefix, regex, any), then
 * the number of further conditions, then the name. A route whose conditions fail makes way for the next one, also on a less specific host.
 */
export class RouteTable<T> {
  readonly #hosts = new Map<string, PathTable<Candidate<T>>>();
  /** By what follows the `*`: `.example.com`. */
  readonly #wildcards = new Map<string, PathTable<Candidate<T>>>();
  #longestWildcard = 0;
  readonly #rests: SharedRests = new Map();
  readonly #anyHost = new PathTable<Candidate<T>>(this.#rests);

  /** What is looked for, so that nothing is made for each search. */
  #asked: RequestHead | undefined;
  #method = "";
  readonly #accepts = ({ conditions }: Candidate<T>): boolean =>
    this.#asked !== undefined && fulfils(conditions, this.#asked, this.#method);

  /** Throws an Error if a regular expression is wrong. */
  static compile<T>(entries: readonly RouteEntry<T>[]): RouteTable<T> {
    const table = new RouteTable<T>();
    const compiled = entries.map((entry) => ({ ...entry, conditions: compileConditions(entry.settings.match) }));
    compiled.sort((one, other) => {
      return other.conditions.length - one.conditions.length || compareText(one.settings.name, other.settings.name);
    });
    for (const [rank, { settings, value, conditions }] of compiled.entries()) {
      table.#add(settings, { value, conditions, rank });
    }
    return table;
  }

  match(head: RequestHead, kind: Exchange["kind"]): T | undefined {
    this.#asked = head;
    this.#method = kind === "handshake" ? "GET" : head.method;
    const accepts = this.#accepts;
    const found =
      this.#hosts.get(head.host)?.find(head.path, accepts) ??
      this.#findWildcard(head, accepts) ??
      this.#anyHost.find(head.path, accepts);
    return found?.value;
  }

  #add(settings: RouteSettings, candidate: Candidate<T>): void {
    const { hosts, path } = settings.match;
    if (hosts.length === 0) this.#anyHost.add(path, candidate);
    for (const host of new Set(hosts)) this.#tableOf(host).add(path, candidate);
  }

  #tableOf(host: string): PathTable<Candidate<T>> {
    if (!host.startsWith("*.")) return this.#getOrAdd(this.#hosts, host);
    const suffix = host.slice(1);
    this.#longestWildcard = Math.max(this.#longestWildcard, suffix.length);
    return this.#getOrAdd(this.#wildcards, suffix);
  }

  #getOrAdd(tables: Map<string, PathTable<Candidate<T>>>, key: string): PathTable<Candidate<T>> {
    const known = tables.get(key);
    if (known !== undefined) return known;
    const table = new PathTable<Candidate<T>>(this.#rests);
    tables.set(key, table);
    return table;
  }

  #findWildcard(head: RequestHead, accepts: (candidate: Candidate<T>) => boolean): Candidate<T> | undefined {
    if (this.#wildcards.size === 0) return undefined;
    const { host, path } = head;
    // At least one label stands before the suffix, so the search for its dot begins at the second character.
    const from = Math.max(1, host.length - this.#longestWildcard);
    for (let at = host.indexOf(".", from); at >= 0; at = host.indexOf(".", at + 1)) {
      const found = this.#wildcards.get(host.slice(at))?.find(path, accepts);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function fulfils(conditions: readonly Condition[], head: RequestHead, method: string): boolean {
  for (const condition of conditions) if (!condition(head, method)) return false;
  return true;
}

/** By code units, so that the order does not depend on the locale. */
function compareText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
