import { jsonSchema } from "./schema.ts";

/** As much of JSON Schema as the schema of the configuration uses. */
type Node = {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | false;
  readonly required?: readonly string[];
};

type Row = { readonly key: string; readonly node: Node; readonly isRequired: boolean };

const introduction = `# Configuration reference

Generated from the schema by \`npm run reference\`; \`causeway schema\` prints the same schema for editors.

A configuration is one YAML file, several, or a folder of \`*.yaml\` and \`*.yml\` files, which are read together: listeners,
upstreams and routes of all files count. What two files say at once is said by the first, and the other one gets a warning. Unknown
keys are errors. \`causeway check\` prints every problem with its place.

- A **duration** carries units: \`250ms\`, \`30s\`, \`5m\`, \`1h30m\`, \`1d\`; \`off\` switches a time limit off. At most \`24d\`.
- A **size** carries a unit: \`512B\`, \`64KB\`, \`1MB\`, \`1GB\`; 1 KB is 1024 bytes.
- An **address** is \`":8080"\` (every IPv4 interface), \`127.0.0.1:8080\`, \`"[::1]:8080"\` or \`localhost:8080\`. Quote what begins
  with a colon, a bracket or a star.
- A **regex** is in [RE2 syntax](https://github.com/google/re2/wiki/Syntax) and has to match the whole text, except in \`rewrite\`.
- **Names** consist of letters, digits and \`.\` \`_\` \`/\` \`-\`.
- \`<name>\` stands for a name of your choice, and \`[]\` for every item of a list.
`;

/** The reference page of the configuration, in Markdown. */
export function referencePage(): string {
  const root: Node = jsonSchema();
  const sections = Object.entries(root.properties ?? {}).flatMap(([key, node]) => {
    const isRequired = root.required?.includes(key) ?? false;
    return sectionsFor({ key, node, isRequired });
  });
  return `${[introduction, ...sections].join("\n")}`;
}

/** Filters get a section each; everything else belongs to the section of its top-level key. */
function sectionsFor(top: Row): readonly string[] {
  const rows = rowsBelow(top);
  const isFilter = (row: Row): boolean => row.key.startsWith("routes.<name>.filters[]");
  const own = rows.filter((row) => !isFilter(row));
  const sections = [section(`## ${top.key}`, top, own.length === 0 ? [top] : own)];
  for (const row of rows.filter((row) => /filters\[\]\.\w+$/.test(row.key))) {
    const name = row.key.slice("routes.<name>.filters[].".length);
    const below = rowsBelow(row).map((inner) => ({
      ...inner,
      key: inner.key.slice("routes.<name>.filters[].".length),
    }));
    sections.push(section(`### Filter \`${name}\``, row, below));
  }
  return sections;
}

function section(heading: string, top: Row, rows: readonly Row[]): string {
  const table = rows.map(
    ({ key, node, isRequired }) =>
      `| \`${key}\` | ${cell(typeOf(node))} | ${isRequired ? "needed" : defaultOf(node)} | ${cell(node.description ?? "")} |`,
  );
  const head = ["| key | type | default | meaning |", "|---|---|---|---|"];
  return `${heading}\n\n${top.node.description ?? ""}\n\n${[...head, ...table].join("\n")}\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** Everything below a key, in the order of the schema. */
function rowsBelow({ key, node }: Row): readonly Row[] {
  const rows: Row[] = [];
  for (const branch of node.anyOf ?? [node]) {
    for (const [name, below] of Object.entries(branch.properties ?? {})) {
      const row = { key: `${key}.${name}`, node: below, isRequired: branch.required?.includes(name) ?? false };
      rows.push(row, ...rowsBelow(row));
    }
    if (branch.items !== undefined) rows.push(...rowsBelow({ key: `${key}[]`, node: branch.items, isRequired: false }));
    if (branch.additionalProperties) {
      rows.push(...rowsBelow({ key: `${key}.<name>`, node: branch.additionalProperties, isRequired: false }));
    }
  }
  return rows;
}

function typeOf(node: Node): string {
  if (node.title !== undefined) return node.title;
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(typeOf))].join(" or ");
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(", ");
  if (node.items !== undefined) return `list: ${typeOf(node.items)}`;
  if (node.additionalProperties) return `map by name: ${typeOf(node.additionalProperties)}`;
  if (node.type === "integer" || node.type === "number") return numberOf(node);
  return names.get(node.type ?? "") ?? "";
}

const names: ReadonlyMap<string, string> = new Map([
  ["string", "text"],
  ["boolean", "`true` or `false`"],
  ["object", "map"],
]);

function numberOf({ minimum, maximum }: Node): string {
  const low = minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const high = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (low === undefined) return high === undefined ? "number" : `number up to ${high}`;
  return high === undefined ? `number from ${low}` : `number, ${low} to ${high}`;
}

function defaultOf(node: Node): string {
  const value = node.default;
  if (value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0))
    return "";
  if (value === "") return "empty";
  return `\`${Array.isArray(value) ? `[ ${value.join(", ")} ]` : String(value)}\``;
}
