import { parseArgs } from "node:util";

/** What a soak was asked to do. */
export type SoakOptions = {
  /** All phases but the waiting between them (ms). */
  readonly durationMs: number;
  /** How often each cell of the fault matrix is played at least; 0 is as often as the time allows. */
  readonly faults: number;
  /** What the random numbers begin with. */
  readonly seed: number;
};

/** A command line that cannot be followed; the message says why. */
export class WrongUse extends Error {
  override readonly name = "WrongUse";
}

/** What to type. */
export const usage = `usage: npm run soak -- [--seconds N] [--faults N] [--seed N]

  --seconds N   how long the traffic lasts (180); a quarter of it warms up
  --faults N    at least so often each cell of the fault matrix, however long that takes
  --seed N      what the random numbers begin with (printed at the start)
`;

/** Reads the command line. Throws `WrongUse`. */
export function parseArguments(args: readonly string[]): SoakOptions {
  const { seconds, faults, seed } = parse(args);
  return {
    durationMs: whole("--seconds", seconds ?? "180", 10) * 1000,
    faults: whole("--faults", faults ?? "0", 0),
    seed: whole("--seed", seed ?? String(Date.now() % 1_000_000), 0),
  };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({ args: [...args], options: { seconds: text, faults: text, seed: text } }).values;
  } catch (error) {
    throw new WrongUse(error instanceof Error ? error.message : String(error));
  }
}

function whole(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < least)
    throw new WrongUse(`${option} takes a whole number from ${least}, not "${text}"`);
  return number;
}
