import { sleep } from "../../src/kit/sleep.ts";
import { cells, FaultMatrix } from "../support/fault-matrix.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { AdminCloses } from "./admin-closes.ts";
import { Application } from "./application.ts";
import type { SoakOptions } from "./arguments.ts";
import { type CrowdOptions, crowd } from "./crowd.ts";
import { EchoSessions } from "./echo-sessions.ts";
import { FaultRounds } from "./fault-rounds.ts";
import { FuzzBackend } from "./fuzz/fuzz-backend.ts";
import { FuzzClients } from "./fuzz/fuzz-clients.ts";
import { Findings, type Load } from "./load.ts";
import { RefusedUpgrades, refuse } from "./refused-upgrades.ts";
import { Reloads } from "./reloads.ts";
import { say, sayProgress, saySummary } from "./report.ts";
import { type Site, siteText } from "./site.ts";
import { type Rest, Watch } from "./watch.ts";
import { WebClients } from "./web-clients.ts";

const progressMs = 5000;
/** How often it is asked whether a phase is over (ms). */
const lookMs = 250;
/** AC-6.2; a soak that is shorter than a minute does with less. */
const mostRefused = 100_000;
/** How much more memory a process may hold at the end than after the warm-up: a part of it, and bytes. */
const memoryShare = 1.1;
const memorySlack = 8 * 1024 * 1024;

type Phase = { readonly name: string; readonly loads: readonly Load[]; readonly ms: number };

type SoakParts = {
  readonly options: SoakOptions;
  readonly gateway: RunningGateway;
  readonly site: Site;
  readonly findings: Findings;
};

/** Good and bad traffic through a real gateway, and the proof that nothing of it is left behind. */
export class Soak {
  readonly #options: SoakOptions;
  readonly #findings: Findings;
  readonly #loads: readonly Load[];
  readonly #faults: FaultRounds;
  readonly #refused: RefusedUpgrades;
  readonly #watch: Watch;
  readonly #crowdOptions: CrowdOptions;

  private constructor({ options, gateway, site, findings }: SoakParts) {
    const { seed } = options;
    const on = (name: string) => ({ port: portOf(gateway, name), findings, seed });
    this.#options = options;
    this.#findings = findings;
    this.#watch = new Watch(gateway, findings);
    const admin = gateway.ready.admin;
    this.#crowdOptions = { ...on("crowd"), listener: "crowd", admin };
    const atOnce = options.faults > 0 ? 25 : 2;
    this.#faults = new FaultRounds({ ...on("faults"), matrix: site.matrix, atOnce, admin });
    this.#refused = new RefusedUpgrades(on("web"));
    this.#loads = [
      new EchoSessions(on("web")),
      new WebClients(on("web")),
      this.#refused,
      new AdminCloses({ ...on("web"), gateway }),
      new Reloads({ ...on("web"), gateway, site }),
      this.#faults,
      new FuzzClients(on("fuzz")),
    ];
  }

  /** Runs it all, and tells whether everything was as it must be. */
  static async run(options: SoakOptions): Promise<boolean> {
    using application = new Application();
    using matrix = new FaultMatrix();
    const findings = new Findings();
    using fuzz = new FuzzBackend(findings);
    const refusing = refuse();
    const site: Site = { application: application.port, refusing: refusing.port, fuzz: fuzz.port, matrix };
    await using gateway = await RunningGateway.open(siteText(site, 0), { keepsAccess: false });
    say(`seed ${options.seed}, control process ${gateway.pid}, worker ${gateway.ready.workerPid}`);
    const isGood = await new Soak({ options, gateway, site, findings }).#run();
    refusing.stop(true);
    return isGood;
  }

  async #run(): Promise<boolean> {
    const warmUpMs = this.#options.durationMs / 4;
    await this.#phase({ name: "warm-up", loads: this.#loads, ms: warmUpMs }, () => true);
    await this.#crowd();
    const before = await this.#watch.rest(undefined);
    const { durationMs, faults } = this.#options;
    const played = this.#faults.done;
    await this.#phase({ name: "soak", loads: this.#loads, ms: durationMs - warmUpMs }, () => {
      return this.#faults.done >= played + faults;
    });
    await this.#phase({ name: "refused upgrades alone", loads: [this.#refused], ms: 0 }, () => {
      return this.#refused.done >= Math.min(mostRefused, durationMs * 2);
    });
    await this.#crowd();
    const after = await this.#watch.rest(before.holdings);
    this.#compareMemory(before, after);
    saySummary({
      loads: this.#loads,
      cells: cells.length,
      before,
      after,
      watch: this.#watch,
      findings: this.#findings,
    });
    return this.#findings.count === 0;
  }

  async #crowd(): Promise<void> {
    const slowest = await crowd(this.#crowdOptions);
    say(`1,000 good clients among 10,000 half handshakes: open in ${slowest.toFixed(1)} ms at the 99th percentile`);
  }

  /** Traffic for `ms` milliseconds at least, and until there was enough of it. */
  async #phase({ name, loads, ms }: Phase, isEnough: () => boolean): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    const running = Promise.all(loads.map((load) => load.run(signal)));
    const watching = this.#watch.run(signal);
    const startedAt = performance.now();
    let saidAt = 0;
    const elapsed = (): number => performance.now() - startedAt;
    while (elapsed() < ms || !isEnough()) {
      await sleep(lookMs);
      if (elapsed() - saidAt < progressMs) continue;
      saidAt = elapsed();
      sayProgress({ name, elapsedMs: elapsed(), loads, watch: this.#watch, findings: this.#findings });
    }
    stop.abort();
    await Promise.all([running, watching]);
  }

  #compareMemory(before: Rest, after: Rest): void {
    for (const key of ["workerMemory", "controlMemory"] as const) {
      if (after[key] > before[key] * memoryShare + memorySlack)
        this.#findings.add(`${key}: ${before[key]} bytes after the warm-up, ${after[key]} at the end`);
    }
  }
}

function portOf(gateway: RunningGateway, name: string): number {
  const found = gateway.ready.listeners.find((listener) => listener.name === name);
  if (found === undefined) throw new Error(`the gateway has no listener ${name}`);
  return found.port;
}
