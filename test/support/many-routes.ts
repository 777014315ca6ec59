import { readConfiguration } from "../../src/controlplane/config/read.ts";

/** The name of the file that `read` pretends to read. */
export const source = "causeway.yaml";

/** A listener and an upstream, with which nothing is wrong. */
export const fine = 'listeners: { web: { address: ":8080" } }\nupstreams: { app: { endpoints: [ a:1 ] } }\n';

/** What reading one file comes to. */
export function read(text: string): ReturnType<typeof readConfiguration> {
  return readConfiguration([{ source, text }], {});
}

/** A configuration of so many routes. */
export function routes(count: number): string {
  const lines = Array.from({ length: count }, (_, at) => {
    const match = `{ hosts: [ h${at}.example.com ], path: /chat/${at} }`;
    return `  r${at}:\n    match: ${match}\n    filters: [ { rewrite: { prefix: / } } ]\n    to: app\n    timeouts: { idle: 5m }\n`;
  });
  return `${fine}routes:\n${lines.join("")}`;
}
