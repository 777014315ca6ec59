/** Where something begins: the text it stands in, line and column counting from 1. */
export type Spot = { readonly source: string; readonly line: number; readonly column: number };

/** A text that a tree was read from; turns an offset into a spot. */
export type Origin = { readonly source: string; readonly spotAt: (offset: number) => Spot };

/** The origin of what a text holds. */
export function originOf({ source, text }: { readonly source: string; readonly text: string }): Origin {
  let starts: readonly number[] | undefined;
  return {
    source,
    spotAt: (offset) => {
      // Most texts are never asked.
      starts ??= lineStarts(text);
      const line = countUpTo(starts, offset);
      return { source, line, column: offset - (starts[line - 1] ?? 0) + 1 };
    },
  };
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** How many of the ascending numbers are at most `limit`. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A value of a configuration together with where it stands. */
export type Tree = {
  /** Plain data: strings, numbers, booleans, null, arrays, and objects without a prototype. */
  readonly value: unknown;
  readonly origin: Origin;
  readonly offset: number;
  /** How many values it holds, itself included; an alias counts as what it stands for. */
  readonly size: number;
  /** For a map: its members by key. */
  readonly members?: ReadonlyMap<string, Member>;
  /** For an entry of a section that nothing outside of it can change: its text. */
  readonly raw?: string;
  /** For a list. */
  readonly items?: readonly Tree[];
};

/** A member of a map: where its key stands, and its value. */
export type Member = { readonly origin: Origin; readonly keyOffset: number; readonly tree: Tree };

/** The way from the root of a configuration to a value in it. */
export type Path = readonly PropertyKey[];

/** The value at `path`, if there is one. */
export function treeAt(root: Tree, path: Path): Tree | undefined {
  let tree: Tree | undefined = root;
  for (const step of path) {
    tree = typeof step === "number" ? tree?.items?.[step] : tree?.members?.get(String(step))?.tree;
  }
  return tree;
}

/** Where `path` stands: its key, its item, or the nearest thing around it that exists. */
export function spotOf(root: Tree, path: Path): Spot {
  let tree = root;
  let spot = tree.origin.spotAt(tree.offset);
  for (const step of path) {
    const member = tree.members?.get(String(step));
    const next = typeof step === "number" ? tree.items?.[step] : member?.tree;
    if (next === undefined) return spot;
    spot = member ? member.origin.spotAt(member.keyOffset) : next.origin.spotAt(next.offset);
    tree = next;
  }
  return spot;
}

/** Where the value at `path` begins, which tells more than its key where the value is wrong. */
export function valueSpotOf(root: Tree, path: Path): Spot {
  const tree = treeAt(root, path);
  return tree === undefined ? spotOf(root, path) : tree.origin.spotAt(tree.offset);
}

/** `routes.chat.filters[0]`; a name that holds more than letters, digits, `-` and `_` is quoted. */
export function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += (text === "" ? "" : ".") + formatKey(String(step));
  }
  return text;
}

function formatKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
}
