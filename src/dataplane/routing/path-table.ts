import { normalizePath, normalizePrefix } from "../../core/path-prefix.ts";
import type { PathMatch } from "../../core/snapshot.ts";
import { compileRegex, type Regex, splitRegex } from "../../kit/regex.ts";

/** Something that a path leads to, and its place in the order of specificity; smaller is more specific. */
export type Ranked = { readonly rank: number };

/** The path must begin with `literal`, and the rest of it match `rest`. */
type RegexEntry<E> = { readonly literal: string; readonly rest: Regex; readonly entry: E };

/** The rests of expressions, compiled once however many routes have the same: a table of thousands stays in the processor's cache. */
export type SharedRests = Map<string, Regex>;

/** The entries of one host, found by path. Entries are added in the order of their rank. */
export class PathTable<E extends Ranked> {
  readonly #exact = new Map<string, E[]>();
  /** By prefix without its last slash. */
  readonly #prefixes = new Map<string, E[]>();
  /** By the whole segments that every matching path begins with, so that few expressions are tried. */
  readonly #regexes = new Map<string, RegexEntry<E>[]>();
  readonly #any: E[] = [];
  readonly #rests: SharedRests;
  #longestPrefix = 0;
  #longestRegexPrefix = 0;

  constructor(rests: SharedRests) {
    this.#rests = rests;
  }

  add(match: PathMatch, entry: E): void {
    switch (match.kind) {
      case "exact":
        append(this.#exact, normalizePath(match.value), entry);
        break;
      case "prefix": {
        const prefix = normalizePrefix(match.value);
        append(this.#prefixes, prefix, entry);
        this.#longestPrefix = Math.max(this.#longestPrefix, prefix.length);
        break;
      }
      case "regex": {
        const { literal, rest } = this.#compile(match.value);
        const prefix = literal.slice(0, Math.max(0, literal.lastIndexOf("/")));
        append(this.#regexes, prefix, { literal, rest, entry });
        this.#longestRegexPrefix = Math.max(this.#longestRegexPrefix, prefix.length);
        break;
      }
      case "any":
        this.#any.push(entry);
        break;
    }
  }

  /** The first entry for `path` that `accepts`: exact paths, then longer prefixes, then expressions, then the rest. */
  find(path: string, accepts: (entry: E) => boolean): E | undefined {
    return (
      this.#exact.get(path)?.find(accepts) ??
      this.#findPrefix(path, accepts) ??
      this.#findRegex(path, accepts) ??
      this.#any.find(accepts)
    );
  }

  #compile(source: string): { literal: string; rest: Regex } {
    const { literal, rest } = splitRegex(source);
    const known = this.#rests.get(rest);
    if (known !== undefined) return { literal, rest: known };
    // The whole is compiled first, because what is wrong with it shall be said of the whole.
    const whole = compileRegex(source);
    const regex = rest === source ? whole : compileRegex(rest);
    this.#rests.set(rest, regex);
    return { literal, rest: regex };
  }

  #findPrefix(path: string, accepts: (entry: E) => boolean): E | undefined {
    if (this.#prefixes.size === 0) return undefined;
    for (let end = lastBorder(path, this.#longestPrefix); end >= 0; end = nextBorder(path, end)) {
      const found = this.#prefixes.get(path.slice(0, end))?.find(accepts);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #findRegex(path: string, accepts: (entry: E) => boolean): E | undefined {
    if (this.#regexes.size === 0) return undefined;
    let best: E | undefined;
    for (let end = lastBorder(path, this.#longestRegexPrefix); end >= 0; end = nextBorder(path, end)) {
      for (const { literal, rest, entry } of this.#regexes.get(path.slice(0, end)) ?? []) {
        if (best !== undefined && best.rank < entry.rank) break;
        if (path.startsWith(literal) && rest.matches(path.slice(literal.length)) && accepts(entry)) {
          best = entry;
          break;
        }
      }
    }
    return best;
  }
}

/** The longest part of `path` that ends on a segment border and has at most `limit` characters; without a limit a long path is costly. */
function lastBorder(path: string, limit: number): number {
  return path.length <= limit ? path.length : path.lastIndexOf("/", limit);
}

function nextBorder(path: string, end: number): number {
  return end === 0 ? -1 : path.lastIndexOf("/", end - 1);
}

function append<V>(map: Map<string, V[]>, key: string, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
