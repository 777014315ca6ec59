import { basename } from "node:path";

const told = new Set<string>();

/**
 * Whether a program is on the PATH; if not, one line says which test is skipped and which Debian package brings it. For
 * `test.skipIf(!requires("redis-server", "redis-server"))`.
 */
export function requires(program: string, debianPackage: string): boolean {
  if (Bun.which(program) !== null) return true;
  const line = `skipped: ${basename(callerFile())} needs ${program}; install the Debian package ${debianPackage}`;
  if (!told.has(line)) process.stderr.write(`${line}\n`);
  told.add(line);
  return false;
}

function callerFile(): string {
  const frames = new Error().stack?.split("\n") ?? [];
  const own = frames.findLast((frame) => frame.includes(import.meta.path));
  const caller = own === undefined ? undefined : frames[frames.indexOf(own) + 1];
  return /([^\s(]+?\.ts)(:\d+)*\)?$/.exec(caller ?? "")?.[1] ?? "a test";
}
