/** What differs from one test's gateway to the next; all of it YAML. */
export type SiteYaml = {
  /** The endpoints of each upstream; each has a route at `/<name>/`, which the application sees as `/`. */
  readonly upstreams: Readonly<Record<string, readonly string[]>>;
  readonly port?: number;
  /** More members of the listener. */
  readonly listener?: string;
  /** More lines for every route. */
  readonly route?: string;
  /** Filters of some routes, before the rewrite. */
  readonly filters?: Readonly<Record<string, readonly string[]>>;
};

/** A configuration with a route for every upstream. */
export function siteYaml({ upstreams, port = 0, route = "", filters = {}, listener = "" }: SiteYaml): string {
  const names = Object.keys(upstreams);
  const lines = [
    `admin: { address: "127.0.0.1:0" }`,
    "log: { format: json }",
    "drain: { window: 0s, grace: 1s }",
    `listeners: { web: { address: "127.0.0.1:${port}"${listener === "" ? "" : `, ${listener}`} } }`,
    "upstreams:",
    ...names.map((name) => `  ${name}: { endpoints: [ ${upstreams[name]?.map((one) => `"${one}"`).join(", ")} ] }`),
    "routes:",
    ...names.flatMap((name) => [
      `  ${name}:`,
      `    match: { path: /${name} }`,
      `    filters: [ ${[...(filters[name] ?? []), "rewrite: { prefix: / }"].join(", ")} ]`,
      `    to: ${name}`,
      ...(route === "" ? [] : [`    ${route}`]),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}
