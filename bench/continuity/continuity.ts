import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { BenchOptions } from "../arguments.ts";
import { type Cores, describeMachine } from "../measure/machine.ts";
import { terminalTable } from "../report/table.ts";
import { type Followed, followOnce, type Pace } from "./follow.ts";
import { allOperated, type Operated } from "./operated.ts";
import { type Continuity, continuityPage, continuityPicture, continuityTable } from "./report.ts";

// Each deed falls into the middle of a bucket, where the millisecond that clocks may differ changes nothing.
const full: Pace = { sessions: 300, leadMs: 2050, eachMs: 6000, oldStaysSeconds: 3 };
const quick: Pace = { sessions: 60, leadMs: 550, eachMs: 2000, oldStaysSeconds: 1 };

/** Follows the sessions of each gateway through a reload, the death of a worker and an upgrade; returns the exit code. */
export async function measureContinuity(options: BenchOptions, cores: Cores): Promise<number> {
  const pace = options.isQuick ? quick : full;
  const gateways: Followed[] = [];
  const versions = new Set<string>();
  let failures = 0;
  for (const operated of allOperated.filter(({ proxy }) => options.proxies.includes(proxy.name))) {
    const version = await operated.proxy.version();
    if (version === undefined) {
      console.log(`${operated.title} is not installed and left out`);
      continue;
    }
    versions.add(`${operated.proxy.name} ${version}`);
    const followed = await tryToFollow(operated, pace, cores);
    if (followed === undefined) failures++;
    else gateways.push(followed);
  }
  const { isQuick, out } = options;
  const date = new Date().toISOString();
  const continuity = { date, isQuick, pace, machine: describeMachine(), versions: [...versions], gateways };
  console.log(`\n${terminalTable(continuityTable(gateways))}`);
  if (out !== undefined) await write(continuity, out);
  return failures === 0 && gateways.length > 0 ? 0 : 1;
}

async function tryToFollow(operated: Operated, pace: Pace, cores: Cores): Promise<Followed | undefined> {
  try {
    const followed = await followOnce(operated, pace, cores);
    const lost = followed.deeds.map(({ kind, lost }) => `${kind} ${lost}`).join(", ");
    console.log(`${operated.title}: of ${pace.sessions} sessions lost: ${lost}`);
    for (const note of followed.notes) console.log(`! ${note}`);
    return followed;
  } catch (error) {
    console.log(`${operated.title} could not be followed: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function write(continuity: Continuity, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Bun.write(join(folder, "continuity.json"), `${JSON.stringify(continuity)}\n`);
  await Bun.write(join(folder, "continuity.md"), continuityPage(continuity));
  await Bun.write(join(folder, "continuity.svg"), continuityPicture(continuity));
  console.log(`written: ${folder}/continuity.json, continuity.md, continuity.svg`);
}
