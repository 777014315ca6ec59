import { fileURLToPath } from "node:url";

/** True in the single executable, whose modules lie in a file system of its own. */
export const isCompiled = import.meta.path.startsWith("/$bunfs/");

/** The command line that starts this very program; arguments follow it. */
export function selfCommand(): string[] {
  if (isCompiled) return [process.execPath];
  return [process.execPath, fileURLToPath(new URL("../main.ts", import.meta.url))];
}
