import { createHash } from "node:crypto";
import { parseHostName } from "./addresses.ts";
import { list, Misread, parsed } from "./fields.ts";

/** One or more host names for one certificate. */
export const orderedNames = list(
  parsed({ write: "write a host name", title: "host", parse: parseOrderedName }),
  "[ example.com, www.example.com ]",
)
  .min(1, { error: "write at least one host name" })
  .max(100, { error: "write at most 100 host names" });

function parseOrderedName(name: string): string | Misread {
  if (name.startsWith("*."))
    return new Misread(
      "a wildcard needs the challenge dns-01, which is not spoken here",
      "write the names one by one, or name a certificate in a file",
    );
  const host = parseHostName(name);
  if (typeof host === "string" && /^[\d.]+$/.test(host))
    return new Misread(`${name} is an address`, "write a host name");
  return host;
}

/** The file of a certificate within its folder: the same names in another order are the same file. */
export function orderedFile(names: readonly string[]): string {
  const sorted = names.toSorted();
  const [first = ""] = sorted;
  if (names.length === 1) return `${first}.pem`;
  const hash = createHash("sha256").update(sorted.join("\n")).digest("hex").slice(0, 8);
  return `${first}-${hash}.pem`;
}
