import { z } from "zod";
import { nearest } from "../../kit/nearest.ts";
import type { EntryMemory } from "./entry-memory.ts";
import type { Findings, Problem } from "./findings.ts";
import { translateIssues } from "./translate.ts";
import type { Path, Tree } from "./tree.ts";

/** A configuration on its way through the checks. */
export type Draft = { readonly root: Tree; readonly findings: Findings };

/** A named thing: all of it if the schema found nothing wrong, and in any case what of it could be read. */
export type Entry<Value> = { readonly whole: Value | undefined; readonly parts: Partial<Value> };

/** The members of a named section in the order of the texts. */
export type Entries<Value> = ReadonlyMap<string, Entry<Value>>;

/** Reads a section that is one thing, such as `log`; what is absent has its defaults. */
export function readSection<Schema extends z.ZodType>(
  draft: Draft,
  key: string,
  schema: Schema,
): z.output<Schema> | undefined {
  const result = schema.safeParse(draft.root.members?.get(key)?.tree.value);
  if (result.success) return result.data;
  translateIssues(result.error.issues, [key], draft.root, draft.findings);
  return undefined;
}

/** Reads a section that holds things by name. Each is checked by itself, so that one mistake hides no other. */
export function readEntries<Schema extends z.ZodObject>(
  draft: Draft,
  key: string,
  { schema, memory }: { readonly schema: Schema; readonly memory: EntryMemory<z.output<Schema>> },
): Entries<z.output<Schema>> {
  memory.turn();
  const entries = new Map<string, Entry<z.output<Schema>>>();
  const section = draft.root.members?.get(key)?.tree;
  if (section !== undefined && section.members === undefined) {
    const says = section.value === null ? "this is empty" : "this is no map";
    draft.findings.addToKey(draft.root, [key], {
      says,
      try: `write names and their settings under ${key}, or remove the key`,
    });
  }
  for (const [name, { tree }] of section?.members ?? []) {
    const bad = whyBadName(name);
    if (bad !== undefined) draft.findings.addToKey(draft.root, [key, name], bad);
    const known = tree.raw === undefined ? undefined : memory.recall(tree.raw);
    if (known !== undefined) {
      entries.set(name, { whole: known, parts: known });
      continue;
    }
    const result = schema.safeParse(tree.value);
    if (result.success) {
      const whole = tree.raw === undefined ? result.data : memory.keep(tree.raw, result.data);
      entries.set(name, { whole, parts: whole });
    } else {
      translateIssues(result.error.issues, [key, name], draft.root, draft.findings);
      entries.set(name, { whole: undefined, parts: partsOf(schema, tree) });
    }
  }
  return entries;
}

/** What of a map fits its schema, key by key. */
function partsOf<Schema extends z.ZodObject>(schema: Schema, tree: Tree): Partial<z.output<Schema>> {
  const parts: Record<string, unknown> = {};
  if (tree.members === undefined) return {};
  for (const [key, part] of Object.entries(schema.shape)) {
    const result = z.safeParse(part, tree.members.get(key)?.tree.value);
    if (result.success) parts[key] = result.data;
  }
  // Each part came out of the schema for its key.
  return parts as Partial<z.output<Schema>>;
}

/** Names stand in metrics, logs and URLs, so they are kept plain. */
function whyBadName(name: string): Problem | undefined {
  if (/^[A-Za-z0-9_][\w./-]{0,127}$/.test(name)) return undefined;
  const says = `${JSON.stringify(name)} is no name`;
  return { says, try: "write up to 128 letters, digits, and . _ / - between them" };
}

/** Reports keys of the whole configuration that do not exist. */
export function checkTopLevel(draft: Draft, known: readonly string[]): void {
  for (const key of draft.root.members?.keys() ?? []) {
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    if (meant !== undefined) draft.findings.markWrong([meant]);
    draft.findings.addToKey(draft.root, [key], {
      says: `there is no key ${JSON.stringify(key)} here`,
      try: meant === undefined ? `the keys are ${known.join(", ")}` : `write ${meant}`,
    });
  }
}

/** Reports a problem with what stands at a path, or with its absence. */
export function report(draft: Draft, path: Path, problem: Problem): void {
  draft.findings.add(draft.root, path, problem);
}
