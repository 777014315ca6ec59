import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { map, text } from "./fields.ts";
import type { Problem } from "./findings.ts";
import type { ReadFile } from "./key-ring.ts";
import { type Draft, report } from "./sections.ts";
import { valueSpotOf } from "./tree.ts";

const shortest = 16;
const hint = "write { file: cookie.key }, or { env: NAME }";

/** `cookieKey`: what cookies are signed with. */
export const cookieKeySchema = z
  .union(
    [
      map({ file: text("write the path of a file").min(1).describe("File that holds it.") }),
      map({ env: text("write the name of an environment variable").describe("Environment variable that holds it.") }),
    ],
    { error: hint },
  )
  .optional()
  .describe(
    "The secret that sticky cookies are signed with: 16 characters or more. `causeway run` makes a file that does not exist, with a " +
      "random secret in it. Gateways that share it read each other's cookies; a new one makes all clients choose anew.",
  );

/** How the key of a configuration is found. */
export type CookieKeySources = {
  readonly draft: Draft;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
  /** Makes a file that does not exist; without it none is made, and that is no problem. */
  readonly createFile?: ((path: string) => string | Problem) | undefined;
};

/** The key; undefined if there is none, or something is wrong with it, which is reported. `files` are those that were read. */
export function readCookieKey(
  key: z.output<typeof cookieKeySchema>,
  sources: CookieKeySources,
): { readonly key?: string; readonly files: readonly string[] } {
  if (key === undefined) return { files: [] };
  const { draft, environment } = sources;
  if ("env" in key) {
    const value = environment[key.env] ?? "";
    const isSet = value.length >= shortest;
    const says = value === "" ? `the environment variable ${key.env} is not set` : `${key.env} is too short`;
    if (!isSet) report(draft, ["cookieKey", "env"], { says, try: "give it 16 random characters or more" });
    return { files: [], ...(isSet ? { key: value } : {}) };
  }
  const path = resolve(dirname(valueSpotOf(draft.root, ["cookieKey", "file"]).source), key.file);
  const read = readOrCreate(path, sources);
  if (typeof read === "string" && read.length >= shortest) return { key: read, files: [path] };
  if (typeof read === "string") {
    const says = `the secret in ${JSON.stringify(key.file)} is too short`;
    report(draft, ["cookieKey", "file"], { says, try: "write 16 characters or more" });
  } else if (!isMissing(read)) {
    report(draft, ["cookieKey", "file"], { ...read, says: `${JSON.stringify(key.file)}: ${read.says}` });
  }
  return { files: [path] };
}

function readOrCreate(path: string, { readFile, createFile }: CookieKeySources): string | Problem {
  const read = readFile(path);
  if (typeof read === "string") return read.trim();
  return isMissing(read) && createFile !== undefined ? createFile(path) : read;
}

/** A file that can still be made. */
function isMissing(read: string | Problem): boolean {
  return typeof read !== "string" && read.says === "there is no such file";
}

/** Makes a file with a random secret that only its owner may read. */
export function createCookieKeyFile(path: string): string | Problem {
  const key = randomBytes(32).toString("base64url");
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${key}\n`, { mode: 0o600, flag: "wx" });
    return key;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      says: `this cannot be made: ${why}`,
      try: "make it by hand, or name one in a folder that may be written to",
    };
  }
}
