import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { Random } from "../../../test/support/random.ts";
import { Findings } from "./findings.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { originOf, type Tree } from "./tree.ts";
import { readWithLibrary } from "./yaml-text.ts";

const testdata = `${import.meta.dir}/testdata`;
const files = readdirSync(testdata).filter((name) => name.endsWith(".in.yaml"));
const texts = files.map((name) => readFileSync(`${testdata}/${name}`, "utf8"));

function plain(text: string): Tree | undefined {
  return readPlainYaml(text, originOf({ source: "a", text }));
}

/** Everything that a tree says, without the functions in it. */
function shown(tree: Tree): unknown {
  const { value, offset, size, members, items } = tree;
  const below = [...(members ?? [])].map(([key, member]) => [key, member.keyOffset, shown(member.tree)]);
  return { value, offset, size, members: members && below, items: items?.map(shown) };
}

/** Fails if this reader reads the text, and the library reads something else in it or finds something wrong with it. */
function compare(text: string): boolean {
  const tree = plain(text);
  if (tree === undefined) return false;
  const findings = new Findings();
  const expected = readWithLibrary(text, originOf({ source: "a", text }), findings);
  if (expected === undefined || expected === "broken" || findings.hasErrors)
    throw new Error(`read what is wrong: ${text}`);
  expect({ text, tree: shown(tree) }).toEqual({ text, tree: shown(expected) });
  return true;
}

test("what a configuration usually holds is read, and as the library reads it", () => {
  const readHere = files.filter((_, at) => compare(texts[at] ?? ""));
  for (const name of ["sample", "filters", "matches", "warnings", "minimal", "header-filters"])
    expect(readHere).toContain(`${name}.in.yaml`);
});

describe("forms that are read here", () => {
  test.each([
    ["maps and lists, nested", "a:\n  b:\n    - 1\n    - c: 2\n      d: x\n    - - y\n      - z\n  e: f\n"],
    ["a list as far left as its key", "a:\n- 1\n- b\nc: d\n"],
    ["flow collections on several lines", "a: [ 1,\n  { b: c, d: [ ] },\n  e,\n  ]\nf: {}\n"],
    ["pairs in a list", "a: [ b: c, d: { e: f }, 'g': h, i ]\n"],
    ["quotes and their escapes", `a: "x\\n\\u00e9\\"#: "\nb: 'it''s'\n"c d": 1\n'e': "2"\n`],
    ["comments and empty lines", "# one\n\na: 1 # two\n  # three\nb: # four\n  c: d#e\n\n"],
    [
      "numbers, words and texts that look like them",
      "a: [ 1, -2.5, true, null, 30s, 127.0.0.1:80, .5s, 1.2.3, yes, nope ]",
    ],
    ["colons, dashes and URLs", "a: :8080\nb: http://x/y?z=1\nc: -x\nd: a:b\ne: [ :1, -y, c:d ]\n"],
    ["JSON", '{\n  "a": [1, {"b": "c"}],\n "d": null\n}'.replace(/^/, "x: ").replaceAll("\n", "\n ")],
    ["letters of all alphabets", "a: grüße 世界 😀\n"],
  ])("%s", (_, text) => {
    expect(compare(text)).toBe(true);
  });
});

describe("what is left to the library", () => {
  test.each([
    "",
    "# nothing\n",
    "text",
    "- a\n- b\n",
    "a: &x 1\nb: *x\n",
    "a: !!str 1\n",
    "a: |\n  text\n",
    "a: >-\n  text\n",
    "a: one\n  two\n",
    "a: 'one\n  two'\n",
    "a:\n",
    "a: 1\na: 2\n",
    "? a\n: b\n",
    "--- \na: 1\n",
    "a: 1\n---\nb: 2\n",
    "a:\tb\n",
    "a: 0x1f\n",
    "a: 1e3\n",
    "a: 007\n",
    "a: 12345678901234567890\n",
    "a: b: c\n",
    "a: [ b: ]\n",
    "a: [ b, , c ]\n",
    "a: { b }\n",
    "a: [ 1\n]\n",
    'a: "\\x41"\n',
    "a: 'b' c\n",
    "<<: { a: b }\n",
    "__proto__: { a: b }\n",
    "a: 1\n b: 2\n",
    "a:\n  - b\n - c\n",
    " a: 1\nb: 2\n",
    "a: @b\n",
    "a: 1\r\nb: 2\r\n",
    `a: ${"[".repeat(80)}${"]".repeat(80)}\n`,
  ])("%j", (text) => {
    expect(plain(text)).toBeUndefined();
  });
});

test("whatever is changed in a text, what is read here is what the library reads", () => {
  const random = new Random(7);
  const pieces = [
    ..." \n\n  -:,#[]{}\"'&*!|>%@`~\\.0e",
    ": ",
    "- ",
    " #",
    "a: ",
    "null",
    "1e3",
    "0x1",
    "\t",
    "\n  ",
    "''",
    "é",
  ];
  let readHere = 0;
  const begin = texts.filter((text) => plain(text) !== undefined);
  for (let round = 0; round < 4000; round++) {
    let text = random.pick(begin);
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      const at = random.below(text.length);
      text = text.slice(0, at) + (random.next() < 0.7 ? random.pick(pieces) : "") + text.slice(at + random.below(3));
    }
    if (compare(text)) readHere++;
  }
  expect(readHere).toBeGreaterThan(400);
});
