import { parseArgs } from "node:util";
import { type ProxyName, proxyNames } from "./proxies/contender.ts";
import type { RoundTiming } from "./run/round.ts";

/** What a benchmark was asked to do. */
export type BenchOptions = {
  /** Names of scenarios; empty means all. */
  readonly scenarios: readonly string[];
  readonly proxies: readonly ProxyName[];
  readonly rounds: number;
  /** For each proxy in each round. */
  readonly timing: RoundTiming;
  readonly isQuick: boolean;
  /** The folder for results; undefined where they are only printed. */
  readonly out: string | undefined;
};

/** The name of what is no scenario: sessions followed through a reload, the death of a worker and an upgrade. */
export const continuityName = "continuity";

/** A command line that cannot be followed; the message says why. */
export class WrongUse extends Error {
  override readonly name = "WrongUse";
}

/** What to type. */
export const usage = `usage: npm run bench -- [scenario…] [--rounds N] [--seconds N] [--quick] [--only nginx,causeway] [--out folder]

  scenario        one or several names; all without
  continuity      alone: sessions followed through a reload, a worker's death and an upgrade
  --rounds N      how often each proxy is measured, in turn (3)
  --seconds N     how long each proxy is measured in a round, in windows of a second (5)
  --quick         one short round, to see that everything works
  --only a,b      only these proxies: ${proxyNames.join(", ")}
  --out folder    where results are written: docs/bench after a full run, otherwise nowhere
`;

/** Reads the command line. Throws `WrongUse`. */
export function parseArguments(args: readonly string[], scenarioNames: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args);
  const isQuick = values.quick ?? false;
  const isContinuity = positionals.includes(continuityName);
  const isFull = !isQuick && (positionals.length === 0 || isContinuity) && values.only === undefined;
  if (isContinuity && positionals.length > 1) throw new WrongUse(`${continuityName} stands alone`);
  for (const name of isContinuity ? [] : positionals) {
    if (!scenarioNames.includes(name))
      throw new WrongUse(`no scenario "${name}"; there are ${[...scenarioNames, continuityName].join(", ")}`);
  }
  return {
    scenarios: positionals,
    proxies: proxiesIn(values.only, isQuick),
    rounds: Math.ceil(positive("--rounds", values.rounds ?? (isQuick ? "1" : "3"))),
    timing: {
      warmupMs: isQuick ? 1250 : 2000,
      ...windowsOf(positive("--seconds", values.seconds ?? (isQuick ? "0.5" : "5"))),
    },
    isQuick,
    out: values.out ?? (isFull ? "docs/bench" : undefined),
  };
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  const options = { rounds: text, seconds: text, only: text, out: text, quick: { type: "boolean" } } as const;
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new WrongUse(error instanceof Error ? error.message : String(error));
  }
}

function proxiesIn(list: string | undefined, isQuick: boolean): readonly ProxyName[] {
  if (list === undefined) return proxyNames.filter((name) => !(isQuick && name === "direct"));
  return list.split(",").map((text) => {
    const name = proxyNames.find((name) => name === text.trim());
    if (name === undefined) throw new WrongUse(`no proxy "${text}"; there are ${proxyNames.join(", ")}`);
    return name;
  });
}

/** Windows of a second, or a little less so that they come out even. */
function windowsOf(seconds: number): Pick<RoundTiming, "windows" | "windowMs"> {
  const windows = Math.ceil(seconds);
  return { windows, windowMs: (seconds / windows) * 1000 };
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 3600))
    throw new WrongUse(`${option} takes a number above 0 and at most 3600, not "${text}"`);
  return number;
}
