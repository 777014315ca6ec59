import { parseArguments, type SoakOptions, usage, WrongUse } from "./arguments.ts";
import { Soak } from "./soak.ts";

/** The soak of the command line; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  let options: SoakOptions;
  try {
    options = parseArguments(args);
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }
  return (await Soak.run(options)) ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
