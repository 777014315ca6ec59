import type { Member, Origin, Tree } from "./tree.ts";

/** What goes deeper is left to the library, which has words for it. */
const maxDepth = 60;

/** Thrown, and caught here, where a text holds more than the plain part of YAML. */
const unusual = new Error("more than plain YAML");

/**
 * Reads the part of YAML that nearly all configurations are written in: block and flow maps and lists, and texts, numbers and words on
 * one line. Undefined where a text holds anything else, or anything doubtful: then the library reads it, and says what is wrong. Where
 * this reads something, the library reads the same; it takes fifteen times as long.
 */
export function readPlainYaml(text: string, origin: Origin): Tree | undefined {
  if (unreadable.test(text)) return undefined;
  try {
    return new PlainReader(text, origin).read();
  } catch (error) {
    if (error === unusual) return undefined;
    throw error;
  }
}

/** Tabs, carriage returns and control characters, line breaks of other alphabets, and what separates documents. */
const unreadable = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]|^(?:---|\.\.\.|%)/m;

const plainKey = /[A-Za-z0-9_./][\w./-]*(?=:(?:[ \n]|$))/y;
const quotedKey = /(?:"[^"\\\n]*"|'[^'\n]*')(?=:)/y;
const doubleQuoted = /"(?:[^"\\\n]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"/y;
const singleQuoted = /'(?:[^'\n]|'')*'/y;
const flowText = /[^,[\]{}\n#]*/y;
const blockText = /[^\n]*/y;
/** What stands at the beginning of something else than a text: YAML 1.2 §5.3. */
const noTextBegins = /^(?:[,[\]{}#&*!|>'"%@`]|[-?:](?:[ ,[\]{}]|$))/;
/** Texts that the core schema of YAML 1.2 (§10.3.2) takes for something else. */
const special =
  /^(?:~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:[eE][-+]?[0-9]+)?)$/;
const simpleNumber = /^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?$/;
const words: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);

const newline = 0x0a;
const space = 0x20;
const hash = 0x23;
const dash = 0x2d;

class PlainReader {
  readonly #text: string;
  readonly #origin: Origin;
  #at = 0;
  /** The column, from 0, of the line that `#at` is in, at its first character; -1 behind the last line. */
  #column = -1;
  #depth = 0;

  constructor(text: string, origin: Origin) {
    this.#text = text;
    this.#origin = origin;
  }

  read(): Tree {
    this.#toContent();
    if (this.#column !== 0) throw unusual;
    const tree = this.#readMap(0);
    if (this.#column >= 0) throw unusual;
    return tree;
  }

  /** `#at` stands where a nested block begins. */
  #readBlock(column: number): Tree {
    if (++this.#depth > maxDepth) throw unusual;
    const tree = this.#isDash() ? this.#readList(column) : this.#readMap(column);
    this.#depth--;
    return tree;
  }

  #readMap(column: number): Tree {
    const map = new MapBuilder(this.#origin, this.#at);
    do {
      const keyOffset = this.#at;
      const key = this.#readKey();
      if (!this.#isBlank(this.#at)) throw unusual;
      const tree = this.#readValue(column, column);
      const isEntry = this.#depth === 1;
      map.add(key, keyOffset, isEntry ? { ...tree, raw: this.#text.slice(tree.offset, this.#at) } : tree);
    } while (this.#column === column);
    if (this.#column > column) throw unusual;
    return map.tree;
  }

  #readList(column: number): Tree {
    const items: Tree[] = [];
    const offset = this.#at;
    let size = 1;
    do {
      this.#at++;
      const tree = this.#readItem(column);
      items.push(tree);
      size += tree.size;
    } while (this.#column === column && this.#isDash());
    if (this.#column > column) throw unusual;
    return { value: items.map((item) => item.value), origin: this.#origin, offset, size, items };
  }

  /** What stands behind a dash: a block that begins in the same line, or what may stand behind a key as well. */
  #readItem(column: number): Tree {
    const dashAt = this.#at - 1;
    this.#skipSpaces();
    if (this.#isDash() || this.#isKey()) return this.#readBlock(column + this.#at - dashAt);
    return this.#readValue(column, column + 1);
  }

  /** What stands behind a key or a dash: a value in the same line, or a block in the next ones. */
  #readValue(column: number, listColumn: number): Tree {
    this.#skipSpaces();
    if (this.#isLineEnd()) {
      this.#toContent();
      // A list below a key may stand as far left as the key.
      if (this.#column > column || (this.#column === listColumn && this.#isDash()))
        return this.#readBlock(this.#column);
      throw unusual;
    }
    const tree = this.#readInline(column, blockText);
    this.#endLine();
    // A text may go on in the next line, if that is deeper.
    if (this.#column > column) throw unusual;
    return tree;
  }

  #readInline(column: number, text: RegExp): Tree {
    const offset = this.#at;
    const first = this.#text[offset];
    if (first === "{") return this.#readFlowMap(column);
    if (first === "[") return this.#readFlowList(column);
    if (first === '"') return this.#leaf(offset, unquoteDouble(this.#take(doubleQuoted)));
    if (first === "'") return this.#leaf(offset, this.#take(singleQuoted).slice(1, -1).replaceAll("''", "'"));
    return this.#leaf(offset, meaningOf(this.#takeText(text)));
  }

  #readFlowMap(column: number): Tree {
    const map = new MapBuilder(this.#origin, this.#at);
    this.#readFlow(column, "}", () => this.#readFlowMember(column, map));
    return map.tree;
  }

  /** `[ a: b ]` is a list of maps with one member each. */
  #readPair(column: number): Tree {
    const map = new MapBuilder(this.#origin, this.#at);
    this.#readFlowMember(column, map);
    return map.tree;
  }

  #readFlowMember(column: number, map: MapBuilder): void {
    const keyOffset = this.#at;
    const key = this.#readKey();
    this.#skipFlowSpaces(column);
    map.add(key, keyOffset, this.#readInline(column, flowText));
  }

  #readFlowList(column: number): Tree {
    const offset = this.#at;
    const items: Tree[] = [];
    let size = 1;
    this.#readFlow(column, "]", () => {
      const tree = this.#isKey() ? this.#readPair(column) : this.#readInline(column, flowText);
      items.push(tree);
      size += tree.size;
    });
    return { value: items.map((item) => item.value), origin: this.#origin, offset, size, items };
  }

  #readFlow(column: number, end: string, readMember: () => void): void {
    if (++this.#depth > maxDepth) throw unusual;
    this.#at++;
    this.#skipFlowSpaces(column);
    while (this.#text[this.#at] !== end) {
      readMember();
      this.#skipFlowSpaces(column);
      if (this.#text[this.#at] === ",") this.#at++;
      else if (this.#text[this.#at] !== end) throw unusual;
      this.#skipFlowSpaces(column);
    }
    this.#at++;
    this.#depth--;
  }

  /** The key, and its colon. */
  #readKey(): string {
    const first = this.#text[this.#at];
    const isQuoted = first === '"' || first === "'";
    const raw = this.#take(isQuoted ? quotedKey : plainKey);
    this.#at++;
    const key = isQuoted ? raw.slice(1, -1) : raw;
    if (key === "<<" || key === "__proto__") throw unusual;
    return key;
  }

  #isKey(): boolean {
    for (const form of [plainKey, quotedKey]) {
      form.lastIndex = this.#at;
      if (form.test(this.#text)) return true;
    }
    return false;
  }

  #takeText(form: RegExp): string {
    const line = this.#take(form);
    const comment = line.indexOf(" #");
    const text = (comment < 0 ? line : line.slice(0, comment)).trimEnd();
    if (text === "" || noTextBegins.test(text) || text.includes(": ") || text.endsWith(":")) throw unusual;
    this.#at -= line.length - text.length;
    return text;
  }

  #take(form: RegExp): string {
    form.lastIndex = this.#at;
    const found = form.exec(this.#text);
    if (found === null) throw unusual;
    this.#at += found[0].length;
    return found[0];
  }

  #leaf(offset: number, value: unknown): Tree {
    return { value, origin: this.#origin, offset, size: 1 };
  }

  #isDash(): boolean {
    if (this.#code(this.#at) !== dash) return false;
    return this.#isBlank(this.#at + 1);
  }

  /** A space, or the end of a line or of all. */
  #isBlank(at: number): boolean {
    const code = this.#code(at);
    return code === space || code === newline || Number.isNaN(code);
  }

  #code(at: number): number {
    return this.#text.charCodeAt(at);
  }

  #skipSpaces(): void {
    while (this.#code(this.#at) === space) this.#at++;
  }

  /** Lines of a flow collection have to be deeper than what it belongs to. */
  #skipFlowSpaces(column: number): void {
    for (;;) {
      this.#skipSpaces();
      if (this.#code(this.#at) !== newline) return;
      const start = ++this.#at;
      this.#skipSpaces();
      if (this.#at - start <= column) throw unusual;
    }
  }

  /** At the end of the line, or at a comment. */
  #isLineEnd(): boolean {
    const code = this.#code(this.#at);
    return code === newline || Number.isNaN(code) || (code === hash && this.#code(this.#at - 1) === space);
  }

  #endLine(): void {
    this.#skipSpaces();
    if (!this.#isLineEnd()) throw unusual;
    this.#toContent();
  }

  /** Goes to the first character of the next line that holds more than a comment, from the beginning or the end of a line. */
  #toContent(): void {
    let start = this.#at === 0 ? 0 : this.#nextLine();
    for (; start < this.#text.length; start = this.#nextLine()) {
      this.#at = start;
      this.#skipSpaces();
      this.#column = this.#at - start;
      const code = this.#code(this.#at);
      if (code !== newline && code !== hash && !Number.isNaN(code)) return;
    }
    this.#column = -1;
  }

  #nextLine(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end + 1;
  }
}

/** Collects the members of a map; a key that comes twice is for the library. */
class MapBuilder {
  readonly #origin: Origin;
  readonly #offset: number;
  readonly #members = new Map<string, Member>();
  readonly #value: Record<string, unknown> = Object.create(null);
  #size = 1;

  constructor(origin: Origin, offset: number) {
    this.#origin = origin;
    this.#offset = offset;
  }

  add(key: string, keyOffset: number, tree: Tree): void {
    if (this.#members.has(key)) throw unusual;
    this.#members.set(key, { origin: this.#origin, keyOffset, tree });
    this.#value[key] = tree.value;
    this.#size += tree.size;
  }

  get tree(): Tree {
    return {
      value: this.#value,
      origin: this.#origin,
      offset: this.#offset,
      size: this.#size,
      members: this.#members,
    };
  }
}

/** The escapes that get here are those of JSON. */
function unquoteDouble(token: string): string {
  if (!token.includes("\\")) return token.slice(1, -1);
  const text: unknown = JSON.parse(token);
  return String(text);
}

function meaningOf(text: string): unknown {
  if (!special.test(text)) return text;
  const word = words.get(text);
  if (word !== undefined) return word;
  if (!simpleNumber.test(text)) throw unusual;
  return Number(text);
}
