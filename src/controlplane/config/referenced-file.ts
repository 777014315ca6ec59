import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { Problem } from "./findings.ts";

/** More than this is no certificate and no key (bytes). */
const maxSize = 4 * 1024 * 1024;

/** Reads a file that a configuration names, or says why it cannot be read. */
export function readReferencedFile(path: string): string | Problem {
  try {
    // A pipe in its place must not be waited for.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) return { says: "this is no file", try: "name a file" };
      if (stats.size > maxSize) return { says: "this is larger than 4 MB", try: "name another file" };
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return problemOf(error);
  }
}

/** True for a file that is not there. */
export function isMissing(problem: Problem): boolean {
  return problem.says.endsWith("there is no such file");
}

function problemOf(error: unknown): Problem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR")
    return { says: "there is no such file", try: "create it, or name another one" };
  if (code === "EACCES" || code === "EPERM")
    return { says: "this may not be read", try: "give the gateway's user the right to read it" };
  return { says: `this cannot be read: ${error instanceof Error ? error.message : String(error)}` };
}
