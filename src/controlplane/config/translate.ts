import type { z } from "zod";
import { nearest } from "../../kit/nearest.ts";
import type { Findings } from "./findings.ts";
import { type Path, type Tree, treeAt } from "./tree.ts";

type SchemaIssue = z.core.$ZodIssue;

/** Tells what a schema found wrong with the value at `base`, in our own words and with places. */
export function translateIssues(issues: readonly SchemaIssue[], base: Path, root: Tree, findings: Findings): void {
  const unknown = issues.filter((issue) => issue.code === "unrecognized_keys");
  for (const issue of issues) {
    const isThere = treeAt(root, [...base, ...issue.path]) !== undefined;
    const follows = unknown.some((cause) => followsFrom(cause, { issue, isThere }));
    if (!follows) translate(issue, base, root, findings);
  }
}

/** A mistyped key makes its map incomplete as well; that needs no words of its own. */
function followsFrom(
  cause: z.core.$ZodIssueUnrecognizedKeys,
  { issue, isThere }: { readonly issue: SchemaIssue; readonly isThere: boolean },
): boolean {
  const at = issue.path.slice(0, cause.path.length);
  if (issue === cause || at.some((step, index) => step !== cause.path[index])) return false;
  if (issue.path.length === cause.path.length) return issue.code === "custom";
  if (isThere) return false;
  const known = knownKeys(cause);
  const key = issue.path[cause.path.length];
  return issue.path.length === cause.path.length + 1 && cause.keys.some((unknown) => nearest(unknown, known) === key);
}

/** The schema leaves the keys that exist in the message (see `map` in fields.ts). */
function knownKeys(issue: z.core.$ZodIssueUnrecognizedKeys): readonly string[] {
  return issue.message.split(" ");
}

function translate(issue: SchemaIssue, base: Path, root: Tree, findings: Findings): void {
  const path = [...base, ...issue.path];
  if (issue.code === "unrecognized_keys")
    return reportUnknownKeys({ keys: issue.keys, known: knownKeys(issue), path }, root, findings);
  if (issue.code === "invalid_union") {
    const branch = branchFor(issue.errors);
    if (branch !== undefined) return translateIssues(branch, path, root, findings);
  }
  if (issue.code === "custom" && issue.params !== undefined) {
    const hint: unknown = issue.params.try;
    return findings.add(root, path, { says: issue.message, try: typeof hint === "string" ? hint : undefined });
  }
  const tree = treeAt(root, path);
  if (tree !== undefined) {
    const isMix = issue.code === "custom" && tree.members !== undefined && tree.members.size > 0;
    const says = isMix
      ? `this has ${[...(tree.members?.keys() ?? [])].join(", ")}`
      : isSecret(path)
        ? `this is no ${path.includes("hmacKey") ? "key" : path.includes("passphrase") ? "passphrase" : "token"}`
        : describe(tree.value);
    return findings.add(root, path, { says, try: issue.message });
  }
  // What could not even be read has its words already.
  if (findings.holdsWrong(path)) return;
  findings.addToKey(root, path, { says: "this is missing", try: issue.message });
}

/** The branch of a union that the user meant: the one whose type fits, if there is exactly one. */
function branchFor(branches: readonly SchemaIssue[][]): readonly SchemaIssue[] | undefined {
  const fitting = branches.filter((issues) => !issues.some((issue) => issue.path.length === 0 && isTypeIssue(issue)));
  return fitting.length === 1 ? fitting[0] : undefined;
}

function isTypeIssue(issue: SchemaIssue): boolean {
  return issue.code === "invalid_type" || issue.code === "invalid_value";
}

function reportUnknownKeys(
  unknown: { readonly keys: readonly string[]; readonly known: readonly string[]; readonly path: Path },
  root: Tree,
  findings: Findings,
): void {
  const { keys, known, path } = unknown;
  for (const key of keys) {
    const meant = nearest(key, known);
    findings.addToKey(root, [...path, key], {
      says: `there is no key ${JSON.stringify(key)} here`,
      try: meant === undefined ? `the keys are ${known.join(", ")}` : `write ${meant}`,
    });
  }
}

/** Issues are logged and shown, and secrets are not. */
function isSecret(path: Path): boolean {
  return (path[0] === "admin" && path[1] === "token") || path.includes("passphrase") || path.includes("hmacKey");
}

/** What stands there now, in words. */
function describe(value: unknown): string {
  if (value === null) return "this is empty";
  if (Array.isArray(value)) return value.length === 0 ? "this list is empty" : "this is a list";
  if (typeof value === "object") return Object.keys(value).length === 0 ? "this map is empty" : "this is a map";
  if (typeof value === "string") return `this is ${JSON.stringify(shorten(value))}`;
  return `this is ${String(value)}`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
