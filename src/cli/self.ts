import { fileURLToPath } from "node:url";

/** True in the single executable, whose modules lie in a file system of its own. */
export const isCompiled = import.meta.path.startsWith("/$bunfs/");

/** Bun would load `.env` and `bunfig.toml`, and what that preloads, from whatever folder the program is started in. */
const ignoresFolder = ["--no-env-file", "--config=/dev/null"];

/** The command line that starts this very program; arguments follow it. */
export function selfCommand(): string[] {
  if (isCompiled) return [process.execPath];
  return [process.execPath, ...ignoresFolder, fileURLToPath(new URL("../main.ts", import.meta.url))];
}
