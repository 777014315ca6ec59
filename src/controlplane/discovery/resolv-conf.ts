import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { DnsServer } from "./dns-client.ts";

/** What the machine says of DNS (resolv.conf(5)). A name with fewer dots than `dots` is looked for in the `search` domains first. */
export type ResolverSettings = {
  readonly servers: readonly DnsServer[];
  readonly search: readonly string[];
  readonly dots: number;
};

/** Reads the text of a resolv.conf. Without a server in it, that of this machine is asked. */
export function parseResolvConf(text: string): ResolverSettings {
  const servers: DnsServer[] = [];
  let search: readonly string[] = [];
  let dots = 1;
  for (const line of text.split("\n")) {
    const [key, ...words] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    const [first = ""] = words;
    if (key === "nameserver" && isIP(first) !== 0) servers.push({ host: first, port: 53 });
    if (key === "search" || key === "domain") search = words.map((word) => word.toLowerCase().replace(/\.$/, ""));
    const [, said] = /^ndots:(\d+)$/.exec(words.find((word) => word.startsWith("ndots:")) ?? "") ?? [];
    if (key === "options" && said !== undefined) dots = Math.min(15, Number(said));
  }
  const usual = [{ host: "127.0.0.1", port: 53 }];
  return { servers: servers.length === 0 ? usual : servers, search: search.filter((domain) => domain !== ""), dots };
}

/** The same from the file where it stands; a machine without one asks itself. */
export function readResolvConf(path = "/etc/resolv.conf"): ResolverSettings {
  try {
    return parseResolvConf(readFileSync(path, "utf8"));
  } catch {
    return parseResolvConf("");
  }
}

/** The full names that a name may stand for, the likeliest first. */
export function fullNames(name: string, { search, dots }: Pick<ResolverSettings, "search" | "dots">): string[] {
  const found = search.map((domain) => `${name}.${domain}`);
  return name.split(".").length - 1 < dots ? [...found, name] : [name, ...found];
}
