import { sleep } from "../../src/kit/sleep.ts";
import { cells, type FaultMatrix } from "../support/fault-matrix.ts";
import { Metrics } from "../support/metrics.ts";
import { until } from "../support/until.ts";
import { type Load, type LoadOptions, repeat } from "./load.ts";

/** How long well-behaved peers of a round may wait for their end: several times what the route's timeouts come to (ms). */
const patienceMs = 15_000;
/** What a well-behaved peer may be closed with. */
const goodCodes: ReadonlySet<number> = new Set([1000, 1001, 1014, 4000]);

export type FaultRoundsOptions = LoadOptions & {
  readonly matrix: FaultMatrix;
  /** How often each cell is played in a round. */
  readonly atOnce: number;
  /** URL of the admin API. */
  readonly admin: string;
};

/** The fault matrix, round after round: every cell some times at once (AC-6.1). */
export class FaultRounds implements Load {
  readonly name = "plays of the fault matrix";
  done = 0;
  readonly #options: FaultRoundsOptions;
  readonly #matrix: FaultMatrix;
  readonly #atOnce: number;

  constructor(options: FaultRoundsOptions) {
    this.#options = options;
    this.#matrix = options.matrix;
    this.#atOnce = options.atOnce;
  }

  /** `done` counts how often every cell was played. */
  run(signal: AbortSignal): Promise<void> {
    const { findings } = this.#options;
    return repeat(() => this.#round(signal), { times: 1, signal, name: "faults", findings });
  }

  async #round(signal: AbortSignal): Promise<void> {
    const matrix = this.#matrix;
    for (const cell of cells) {
      matrix.play(this.#options.port, cell, this.#atOnce);
      // Others have their turn between two cells, as they would if the faults came from outside.
      await sleep(1, signal);
    }
    await until(() => this.#isOver(), patienceMs).catch(() =>
      this.#options.findings.add("faults: a round does not end"),
    );
    for (const cell of new Set(matrix.hanging)) this.#options.findings.add(`faults: somebody hangs after ${cell}`);
    for (const code of matrix.closeCodes) {
      if (!goodCodes.has(code)) this.#options.findings.add(`faults: somebody was closed with ${code}`);
    }
    matrix.clear();
    this.done += this.#atOnce;
  }

  /** Nobody of the round has anything to do with the gateway any more. */
  async #isOver(): Promise<boolean> {
    await sleep(100);
    if (this.#matrix.starting > 0) return false;
    const metrics = await Metrics.read(this.#options.admin);
    const connections = metrics.sum("causeway_connections_open", 'listener="faults"');
    const names = Object.keys(this.#matrix.upstreams);
    const sessions = names.map((name) => metrics.sum("causeway_endpoint_sessions", `upstream="${name}"`));
    return connections === 0 && sessions.every((open) => open === 0);
  }
}
