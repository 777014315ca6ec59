import { RE2JS, RE2JSSyntaxException } from "re2js";

/**
 * A regular expression in RE2 syntax, whose cost grows linearly with the text whatever the expression. About 0.4 µs a match, and 2 to 4
 * µs where ten thousand are used in turn and none is in the processor's cache; a
 * native RegExp is faster on friendly texts and exponential on others, and telling which is which is not worth a mistake.
 */
export class Regex {
  readonly source: string;
  /** Every text that matches begins with this; empty if nothing is known. */
  readonly literalPrefix: string;
  readonly #compiled: RE2JS;

  constructor(source: string, compiled: RE2JS) {
    this.source = source;
    this.literalPrefix = literalPrefixOf(source);
    this.#compiled = compiled;
  }

  /** Does the whole text match? */
  matches(text: string): boolean {
    return this.#compiled.matches(text);
  }

  /**
   * Makes a function that replaces every match in a text and returns undefined if there is none. The replacement names groups as `$1`,
   * `${1}` or `${name}`, and `$$` is a dollar sign; throws an Error that says what is wrong with it. A group that took no part is empty.
   */
  replacer(replacement: string): (text: string) => string | undefined {
    const parts = parseReplacement(replacement, {
      count: this.#compiled.groupCount(),
      named: new Map(Object.entries(this.#compiled.namedGroups())),
    });
    return (text) => this.#replace(text, parts);
  }

  #replace(text: string, parts: readonly ReplacementPart[]): string | undefined {
    let result = "";
    let end = -1;
    for (const match of this.#compiled.matchAll(text)) {
      const whole = match[0] as string;
      const at = (match as { index?: number }).index ?? 0;
      // As in RE2, an empty match right behind another match is none: `.*` matches a text once, not twice.
      if (whole === "" && at === end) continue;
      result += text.slice(Math.max(end, 0), at);
      for (const part of parts) result += typeof part === "string" ? part : ((match[part] as string | undefined) ?? "");
      end = at + whole.length;
    }
    return end < 0 ? undefined : result + text.slice(end);
  }
}

/** Throws an Error that says what is wrong with the syntax. */
export function compileRegex(source: string): Regex {
  try {
    return new Regex(source, RE2JS.compile(source));
  } catch (thrown) {
    if (!(thrown instanceof RE2JSSyntaxException)) throw thrown;
    throw new Error(`"${source}" is not a regular expression in RE2 syntax: ${thrown.error}`, { cause: thrown });
  }
}

/** A text, or the number of a group. */
type ReplacementPart = string | number;

type Groups = { readonly count: number; readonly named: ReadonlyMap<string, number> };

function parseReplacement(text: string, groups: Groups): readonly ReplacementPart[] {
  const parts: ReplacementPart[] = [];
  const references = /\$(?:(\$)|([0-9]+)|\{([^}]*)\}|)/g;
  let end = 0;
  for (const found of text.matchAll(references)) {
    parts.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const [, dollar, number, name] = found;
    if (dollar !== undefined) parts.push("$");
    else parts.push(findGroup(number ?? name, groups));
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

function findGroup(name: string | undefined, groups: Groups): number {
  if (name === undefined)
    throw new Error("a $ in a replacement stands before a group, as in $1 or ${name}; write $$ for a dollar sign");
  const group = /^[0-9]+$/.test(name) ? Number(name) : groups.named.get(name);
  if (group === undefined || group > groups.count) throw new Error(`the expression has no group "${name}"`);
  return group;
}

/**
 * An expression in two parts: a text matches it whole if it begins with `literal` and what follows matches `rest` whole. Thousands of
 * expressions that differ only in their literal can share one `rest`.
 */
export function splitRegex(source: string): { readonly literal: string; readonly rest: string } {
  const { plain, next } = plainStart(source);
  const literal = "*?+{".includes(next) && next !== "" ? plain.slice(0, -1) : plain;
  const rest = source.slice((source.startsWith("^") ? 1 : 0) + literal.length);
  return looksBack.test(rest) ? { literal: "", rest: source } : { literal, rest };
}

/** Assertions whose meaning depends on what stands before them; a caret that begins a class is none. */
const looksBack = /\\[AbB]|(?:^|[^[])\^/;

function literalPrefixOf(source: string): string {
  const { plain, next } = plainStart(source);
  return next !== "" && "*?{".includes(next) ? plain.slice(0, -1) : plain;
}

/** Careful rather than complete: only plain characters at the start of an expression without alternatives count. */
function plainStart(source: string): { readonly plain: string; readonly next: string } {
  if (source.includes("|")) return { plain: "", next: "" };
  const [, plain = "", next = ""] = /^\^?([A-Za-z0-9/_~-]*)(.?)/s.exec(source) ?? [];
  return { plain, next };
}
