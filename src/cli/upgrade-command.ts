import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { within } from "../kit/sleep.ts";
import { selfCommand } from "./self.ts";

/** How another version of this program is called, or what stands against that. */
export type UpgradeCommand = { readonly command: readonly string[] } | { readonly problem: string };

/** What others could write must not run as this user, whoever asks for it. */
const writableByOthers = 0o022;

/** How the program that takes over is called: the one at `binary`, or else this one, as it lies on the disk now. */
export function upgradeCommand(binary: string | undefined): UpgradeCommand {
  if (binary === undefined) return { command: selfCommand() };
  if (!isAbsolute(binary)) return { problem: `${JSON.stringify(binary)} is no absolute path` };
  try {
    const stats = statSync(binary);
    accessSync(binary, constants.X_OK);
    if (!stats.isFile()) return { problem: `${binary} is no file` };
    const isTrusted = stats.uid === 0 || stats.uid === process.getuid?.();
    if (isTrusted && (stats.mode & writableByOthers) === 0) return { command: [binary] };
    return { problem: `${binary} can be changed by other users` };
  } catch (error) {
    return { problem: `${binary} cannot be run: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** How long the other version may take to read the configuration (ms). */
const tryMs = 10_000;

/** What the other version has against the configuration of this one, if anything. */
export async function tryOut(command: readonly string[], paths: readonly string[]): Promise<string | undefined> {
  try {
    const child = Bun.spawn([...command, "check", ...paths], { stdio: ["ignore", "pipe", "pipe"] });
    const said = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const code = await within(child.exited, tryMs, undefined);
    if (code === 0) return undefined;
    child.kill("SIGKILL");
    const how = code === undefined ? `did not answer within ${tryMs / 1000} s` : `ended with exit code ${code}`;
    return `causeway check of the new version ${how}: ${(await said).join("").trim()}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
