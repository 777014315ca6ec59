import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument, type YAMLError } from "yaml";
import type { ConfigurationText } from "../../core/configuration.ts";
import type { Findings } from "./findings.ts";
import { isNamedSection } from "./merge.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { type Member, type Origin, originOf, type Path, type Tree } from "./tree.ts";

/** A configuration needs less than ten levels; what goes deeper is a mistake or an attack. */
const maxDepth = 64;

/** How many values a text may come to once its aliases stand for what they name. */
const maxSize = 1_000_000;

/** Reads one YAML text: its tree, undefined if it holds nothing, or `broken` if it cannot be read. Every problem goes to `findings`. */
export function readYaml(text: ConfigurationText, findings: Findings): Tree | undefined | "broken" {
  const origin = originOf(text);
  const plain = readPlainYaml(text.text, origin);
  return plain === undefined || plain.size > maxSize ? readWithLibrary(text.text, origin, findings) : plain;
}

/** The same for all of YAML. */
export function readWithLibrary(text: string, origin: Origin, findings: Findings): Tree | undefined | "broken" {
  // Keys are compared by TreeReader, which knows where the first one stood; the parser's own check takes quadratic time.
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false });
  const spots = new Set<number>();
  for (const error of [...document.errors, ...document.warnings]) {
    // One bracket that is not closed is told once for everything that it was to close.
    if (spots.has(error.pos[0])) continue;
    spots.add(error.pos[0]);
    findings.addAt(origin.spotAt(error.pos[0]), [], { says: wordsFor(error), try: hintFor(error) });
  }
  if (document.errors.length > 0) return "broken";
  if (document.contents === null) return undefined;
  const tree = new TreeReader(origin, findings).read(document.contents, []);
  if (tree === undefined || tree.size <= maxSize) return tree;
  findings.addAt(origin.spotAt(0), [], { says: `aliases make more than ${maxSize} values of this`, try: "write less" });
  return "broken";
}

function hintFor(error: YAMLError): string | undefined {
  return error.message.includes("must be sufficiently indented and end with")
    ? hints.get("MISSING_CHAR")
    : hints.get(error.code);
}

function wordsFor(error: YAMLError): string {
  if (error.code === "RESOURCE_EXHAUSTION") return "this is nested too deeply to be read";
  if (error.code === "MULTIPLE_DOCS") return "a second YAML document begins here";
  return `this is not YAML: ${error.message.replace(/\s+/g, " ").trim()}`;
}

const hints: ReadonlyMap<string, string> = new Map([
  ["TAB_AS_INDENT", "indent with spaces"],
  ["MULTIPLE_DOCS", "put every document into a file of its own"],
  ["BAD_ALIAS", 'quote a value that begins with *, such as "*.example.com"'],
  ["BLOCK_AS_IMPLICIT_KEY", "put the value on the next line, or quote it if it holds a colon and a space"],
  ["MULTILINE_IMPLICIT_KEY", "write a colon after the key"],
  ["BAD_SCALAR_START", "quote a value that begins with @, ` or %"],
  ["MISSING_CHAR", "close every quote, bracket and brace, and write a space after every colon"],
  ["BAD_INDENT", "indent everything of one map or list equally"],
]);

/** Turns the nodes of one document into trees. */
class TreeReader {
  readonly #origin: Origin;
  readonly #findings: Findings;
  /** Anchored nodes by name, each as it was last defined; undefined while it is still being read. */
  readonly #anchors = new Map<string, Tree | undefined>();

  constructor(origin: Origin, findings: Findings) {
    this.#origin = origin;
    this.#findings = findings;
  }

  read(node: Node | null, path: Path, offset = 0): Tree | undefined {
    const at = node?.range?.[0] ?? offset;
    if (path.length > maxDepth)
      return this.#refuse(at, path.slice(0, 3), `this is nested more than ${maxDepth} levels deep`);
    if (isAlias(node)) return this.#readAlias(node.source, at, path);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const tree = this.#readNode(node, path, at);
    if (anchor !== undefined && tree !== undefined) this.#anchors.set(anchor, tree);
    return tree;
  }

  #readNode(node: Node | null, path: Path, offset: number): Tree | undefined {
    if (isMap(node)) return this.#readMap(node.items as readonly Pair<Node, Node | null>[], path, offset);
    if (isSeq(node)) return this.#readList(node.items as readonly (Node | null)[], path, offset);
    const value = isScalar(node) ? node.value : null;
    return { value, origin: this.#origin, offset, size: 1 };
  }

  #readAlias(name: string, offset: number, path: Path): Tree | undefined {
    const tree = this.#anchors.get(name);
    if (tree !== undefined) return { ...tree, origin: this.#origin, offset };
    if (this.#anchors.has(name)) return this.#refuse(offset, path, `the alias *${name} stands inside what it names`);
    return this.#refuse(
      offset,
      path,
      `*${name} is an alias, and there is no &${name} before it`,
      hints.get("BAD_ALIAS"),
    );
  }

  #readList(nodes: readonly (Node | null)[], path: Path, offset: number): Tree {
    const items: Tree[] = [];
    let size = 1;
    for (const node of nodes) {
      const tree = this.read(node, [...path, items.length], offset);
      if (tree === undefined) continue;
      items.push(tree);
      size += tree.size;
    }
    return { value: items.map((item) => item.value), origin: this.#origin, offset, size, items };
  }

  #readMap(pairs: readonly Pair<Node, Node | null>[], path: Path, offset: number): Tree {
    const members = new Map<string, Member>();
    const value: Record<string, unknown> = Object.create(null);
    let size = 1;
    for (const pair of pairs) {
      const keyOffset = pair.key?.range?.[0] ?? offset;
      const key = this.#readKey(pair.key, keyOffset, path);
      if (key === undefined) continue;
      const first = members.get(key);
      if (first !== undefined) this.#reportDuplicate({ key, keyOffset, first, path });
      // The value is read all the same, so that whatever else is wrong in it is told too.
      const tree = this.read(pair.value, [...path, key], keyOffset);
      if (tree === undefined || first !== undefined) continue;
      members.set(key, { origin: this.#origin, keyOffset, tree });
      value[key] = tree.value;
      size += tree.size;
    }
    return { value, origin: this.#origin, offset, size, members };
  }

  #readKey(node: Node, offset: number, path: Path): string | undefined {
    if (!isScalar(node)) return this.#refuse(offset, path, "a key must be a plain text", "write the key out");
    const key = typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    if (key === "<<") return this.#refuse(offset, path, "YAML 1.2 has no merge keys", "write the keys out");
    // Objects elsewhere in the process take this key for something else.
    if (key === "__proto__") return this.#refuse(offset, path, "__proto__ cannot be a key", "choose another name");
    return key;
  }

  #reportDuplicate(duplicate: { key: string; keyOffset: number; first: Member; path: Path }): void {
    const { key, keyOffset, first, path } = duplicate;
    const before = this.#origin.spotAt(first.keyOffset);
    const isName = path.length === 1 && isNamedSection(path[0]);
    this.#findings.addAt(this.#origin.spotAt(keyOffset), [...path, key], {
      severity: isName ? "warning" : "error",
      says: `this is there already, in line ${before.line}${isName ? ", which stays in force" : ""}`,
      try: isName ? "choose another name" : "remove one of the two",
    });
  }

  #refuse(offset: number, path: Path, says: string, instead?: string): undefined {
    this.#findings.addAt(this.#origin.spotAt(offset), path, { says, try: instead });
  }
}
