import { normalizePath, normalizePrefix } from "../../core/path-prefix.ts";
import type { PathMatch } from "../../core/snapshot.ts";
import { compileRegex, type Regex } from "../../kit/regex.ts";

/** Something that a path leads to, and its place in the order of specificity; smaller is more specific. */
export type Ranked = { readonly rank: number };

type RegexEntry<E> = { readonly regex: Regex; readonly entry: E };

/** The entries of one host, found by path. Entries are added in the order of their rank. */
export class PathTable<E extends Ranked> {
  readonly #exact = new Map<string, E[]>();
  /** By prefix without its last slash. */
  readonly #prefixes = new Map<string, E[]>();
  /** By the whole segments that every matching path begins with, so that few expressions are tried. */
  readonly #regexes = new Map<string, RegexEntry<E>[]>();
  readonly #any: E[] = [];
  #longestPrefix = 0;
  #longestRegexPrefix = 0;

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
        const regex = compileRegex(match.value);
        const prefix = regex.literalPrefix.slice(0, Math.max(0, regex.literalPrefix.lastIndexOf("/")));
        append(this.#regexes, prefix, { regex, entry });
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
      for (const { regex, entry } of this.#regexes.get(path.slice(0, end)) ?? []) {
        if (best !== undefined && best.rank < entry.rank) break;
        if (path.startsWith(regex.literalPrefix) && regex.matches(path) && accepts(entry)) {
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
