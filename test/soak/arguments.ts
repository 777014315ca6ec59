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

/** What a soak of upgrades was asked to do. */
export type UpgradeSoakOptions = {
  readonly sessions: number;
  /** Seconds between two messages of a session. */
  readonly every: number;
  readonly upgrades: number;
  /** How many visitors open a session, say something and leave, a second. */
  readonly handshakes: number;
  readonly workers: number;
  /** How often each cell of the fault matrix is played meanwhile at least. */
  readonly faults: number;
};

/** A command line that cannot be followed; the message says why. */
export class WrongUse extends Error {
  override readonly name = "WrongUse";
}

/** What to type. */
export const usage = `usage: npm run soak -- [--seconds N] [--faults N] [--seed N]
       npm run soak -- --upgrade [--sessions N] [--upgrades N] [--every N] [--handshakes N] [--workers N] [--faults N]

  --seconds N     how long the traffic lasts (180); a quarter of it warms up
  --faults N      at least so often each cell of the fault matrix, however long that takes
  --seed N        what the random numbers begin with (printed at the start)

  --upgrade       new processes take over again and again, and not a byte may be lost
  --sessions N    how many sessions are held (5000)
  --every N       seconds between two messages of a session (1)
  --upgrades N    how often all workers are replaced (5)
  --handshakes N  new sessions a second beside those (100)
  --workers N     worker processes (1); each needs two descriptors for a session
`;

const upgradeOnly = ["sessions", "every", "upgrades", "handshakes", "workers"] as const;
const soakOnly = ["seconds", "seed"] as const;

/** Reads the command line. Throws `WrongUse`. */
export function parseArguments(args: readonly string[]): SoakOptions | UpgradeSoakOptions {
  const values = parse(args);
  const { seconds, faults, seed, sessions, every, upgrades, handshakes, workers } = values;
  const misplaced = (values.upgrade === true ? soakOnly : upgradeOnly).find((name) => values[name] !== undefined);
  if (misplaced !== undefined)
    throw new WrongUse(`--${misplaced} does not go ${values.upgrade === true ? "with" : "without"} --upgrade`);
  if (values.upgrade === true)
    return {
      sessions: whole("--sessions", sessions ?? "5000", 1),
      every: whole("--every", every ?? "1", 1),
      upgrades: whole("--upgrades", upgrades ?? "5", 1),
      handshakes: whole("--handshakes", handshakes ?? "100", 0),
      workers: whole("--workers", workers ?? "1", 1),
      faults: whole("--faults", faults ?? "0", 0),
    };
  return {
    durationMs: whole("--seconds", seconds ?? "180", 10) * 1000,
    faults: whole("--faults", faults ?? "0", 0),
    seed: whole("--seed", seed ?? String(Date.now() % 1_000_000), 0),
  };
}

/** True if upgrades were asked for. */
export function isUpgradeSoak(options: SoakOptions | UpgradeSoakOptions): options is UpgradeSoakOptions {
  return "upgrades" in options;
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const texts = {
    seconds: text,
    faults: text,
    seed: text,
    sessions: text,
    every: text,
    upgrades: text,
    handshakes: text,
    workers: text,
  };
  try {
    return parseArgs({ args: [...args], options: { ...texts, upgrade: { type: "boolean" } } }).values;
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
