import manifest from "../../package.json" with { type: "json" };
import { refuseOperands } from "./usage.ts";

/** The version of this program. */
export const programVersion: string = manifest.version;

/** `causeway version`: the version of the program and of the Bun it runs on. */
export async function version(args: readonly string[]): Promise<number> {
  refuseOperands(args);
  process.stdout.write(`causeway ${programVersion} (Bun ${Bun.version})\n`);
  return 0;
}
