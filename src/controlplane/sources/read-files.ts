import { type BigIntStats, constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ConfigurationText, SourceState } from "../../core/configuration.ts";
import type { Issue } from "../../core/issue.ts";

/** More than this is no configuration that somebody wrote (bytes). */
const maxFileSize = 64 * 1024 * 1024;

/** Reads files, and the `*.yaml` and `*.yml` of folders in the order of their names. What cannot be read becomes an issue. */
export async function readFiles(paths: readonly string[]): Promise<SourceState> {
  const texts: ConfigurationText[] = [];
  const issues: Issue[] = [];
  for (const found of await findFiles(paths)) {
    const text = found.problem ?? (await readText(found.path));
    if (typeof text === "string") texts.push({ source: found.path, text });
    else issues.push({ severity: "error", at: { source: found.path, path: "" }, ...text });
  }
  return { texts, issues };
}

/** A text that changes whenever the files do: which there are, and size, inode and times of each. Costs one stat a file. */
export async function fingerprint(paths: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const { path, problem, stats } of await findFiles(paths)) {
    const { dev, ino, size, mtimeNs, ctimeNs } = stats ?? {};
    parts.push(`${path}\n${problem?.says ?? ""}\n${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`);
  }
  return parts.join("\n");
}

type Found = { readonly path: string; readonly stats?: BigIntStats; readonly problem?: Problem };
type Problem = Pick<Issue, "says" | "try">;

async function findFiles(paths: readonly string[]): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const path of paths) {
    const given = await look(path);
    if (given.stats?.isDirectory()) found.push(...(await lookInto(path)));
    else found.push(given);
  }
  return found;
}

async function lookInto(folder: string): Promise<readonly Found[]> {
  try {
    const names = (await readdir(folder)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
    const members = await Promise.all(names.map((name) => look(join(folder, name))));
    const files = members.filter((member) => !member.stats?.isDirectory());
    if (files.length > 0) return files;
    return [
      { path: folder, problem: { says: "this folder holds no *.yaml and no *.yml", try: "put a configuration there" } },
    ];
  } catch (error) {
    return [{ path: folder, problem: problemOf(error) }];
  }
}

async function look(path: string): Promise<Found> {
  try {
    // Links are followed, so that a link that is swapped shows as another inode.
    const stats = await stat(path, { bigint: true });
    // Reading a pipe or a device would wait for ever.
    const isOdd = !stats.isFile() && !stats.isDirectory();
    return isOdd ? { path, stats, problem: { says: "this is neither a file nor a folder" } } : { path, stats };
  } catch (error) {
    return { path, problem: problemOf(error) };
  }
}

async function readText(path: string): Promise<string | Problem> {
  try {
    // Should a pipe have taken the place of the file meanwhile, opening it must not wait.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile()) return { says: "this is no file", try: "name a file or a folder of *.yaml files" };
    if (stats.size > maxFileSize) return { says: "this is larger than 64 MB", try: "split it" };
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
  } catch (error) {
    if (error instanceof TypeError) return { says: "this is not UTF-8", try: "save it as UTF-8" };
    return problemOf(error);
  }
}

function problemOf(error: unknown): Problem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return { says: "there is no such file", try: "create it, or name another one" };
  if (code === "EACCES" || code === "EPERM")
    return { says: "this may not be read", try: "give the gateway's user the right to read it" };
  if (code === "EISDIR") return { says: "this has become a folder" };
  return { says: `this cannot be read: ${error instanceof Error ? error.message : String(error)}` };
}
