import {
  isUpgradeSoak,
  parseArguments,
  type SoakOptions,
  type UpgradeSoakOptions,
  usage,
  WrongUse,
} from "./arguments.ts";
import { Soak } from "./soak.ts";
import { UpgradeSoak } from "./upgrade-soak.ts";

/** The soak of the command line; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  let options: SoakOptions | UpgradeSoakOptions;
  try {
    options = parseArguments(args);
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }
  const isGood = isUpgradeSoak(options) ? await UpgradeSoak.run(options) : await Soak.run(options);
  return isGood ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
