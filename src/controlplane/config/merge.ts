import type { Findings } from "./findings.ts";
import type { Member, Origin, Tree } from "./tree.ts";

/** Does this top-level key hold things by name, so that several texts may add to it? */
export function isNamedSection(key: PropertyKey | undefined): boolean {
  return key === "listeners" || key === "upstreams" || key === "routes";
}

/**
 * One tree of several texts. What two texts say at once is said by the first, and the other one gets a warning. `fallback` is the source
 * to name where there is no tree at all.
 */
export function mergeTrees(
  trees: readonly Tree[],
  given: { readonly findings: Findings; readonly fallback: string },
): Tree {
  const { findings, fallback: source } = given;
  const nowhere: Origin = { source, spotAt: () => ({ source, line: 1, column: 1 }) };
  const members = new Map<string, Member>();
  for (const tree of trees) {
    if (tree.members === undefined) {
      const says = Array.isArray(tree.value)
        ? "this is a list, and a configuration is a map"
        : "this is no configuration";
      findings.addAt(tree.origin.spotAt(tree.offset), [], { says, try: "begin with listeners:" });
    }
    for (const [key, member] of tree.members ?? []) addMember(members, key, member, findings);
  }
  return mapOf(members, trees[0]?.origin ?? nowhere, trees[0]?.offset ?? 0);
}

function addMember(members: Map<string, Member>, key: string, member: Member, findings: Findings): void {
  const first = members.get(key);
  if (first === undefined) {
    members.set(key, member);
  } else if (isNamedSection(key) && first.tree.members !== undefined && member.tree.members !== undefined) {
    members.set(key, { ...first, tree: mergeNames(key, first.tree, member.tree, findings) });
  } else if (isNamedSection(key) && first.tree.members === undefined) {
    // Whatever the first one is, the schema will refuse it; the names of the second one stay known.
    findings.addAt(first.origin.spotAt(first.keyOffset), [key], emptySection(key));
    members.set(key, member);
  } else if (isNamedSection(key)) {
    findings.addAt(member.origin.spotAt(member.keyOffset), [key], emptySection(key));
  } else {
    warnOfDuplicate([key], first, member, findings);
  }
}

function emptySection(key: string): { says: string; try: string } {
  return { says: "this is no map", try: `write names and their settings under ${key}, or remove the key` };
}

function mergeNames(section: string, first: Tree, second: Tree, findings: Findings): Tree {
  const members = new Map(first.members);
  for (const [name, member] of second.members ?? []) {
    const known = members.get(name);
    if (known === undefined) members.set(name, member);
    else warnOfDuplicate([section, name], known, member, findings);
  }
  return mapOf(members, first.origin, first.offset);
}

function warnOfDuplicate(path: readonly string[], first: Member, second: Member, findings: Findings): void {
  const { source, line } = first.origin.spotAt(first.keyOffset);
  findings.addAt(second.origin.spotAt(second.keyOffset), path, {
    severity: "warning",
    says: `this is there already, in ${source}:${line}, which stays in force`,
    try: path.length === 2 ? "choose another name" : "remove one of the two",
  });
}

function mapOf(members: ReadonlyMap<string, Member>, origin: Origin, offset: number): Tree {
  const value: Record<string, unknown> = Object.create(null);
  let size = 1;
  for (const [key, member] of members) {
    value[key] = member.tree.value;
    size += member.tree.size;
  }
  return { value, origin, offset, size, members };
}
