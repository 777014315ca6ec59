import { sleep } from "../../src/kit/sleep.ts";
import { EchoProcess } from "../support/echo-process.ts";
import { FaultMatrix } from "../support/fault-matrix.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import type { UpgradeSoakOptions } from "./arguments.ts";
import { CheckedClient } from "./checked-client.ts";
import { FaultRounds } from "./fault-rounds.ts";
import { Findings } from "./load.ts";
import { say } from "./report.ts";
import { upgradeSiteText } from "./site.ts";

const settleMs = 20_000;
/** How long messages are watched behind an upgrade (ms). */
const watchMs = 1500;
/** How often some clients send and some open (ms): so many parts a second has. */
const beatMs = 20;
const beats = 1000 / beatMs;
/** Sessions that open together: there is a limit of handshakes under way from one address. */
const openTogether = 100;
/** What a message in flight may take at the 99th percentile (ms). */
const patienceMs = 1000;

type Report = { readonly pausedMs: number; readonly sessions: number };

/** Upgrades under load, one after the other: thousands of sessions whose every byte is compared, new ones beside them, and faults of all kinds. */
export class UpgradeSoak {
  readonly #options: UpgradeSoakOptions;
  readonly #gateway: RunningGateway;
  readonly #findings = new Findings();
  readonly #times: number[] = [];
  readonly #clients: CheckedClient[] = [];
  readonly #visitors = new Set<CheckedClient>();
  #opened = 0;
  #next = 0;

  private constructor(options: UpgradeSoakOptions, gateway: RunningGateway) {
    this.#options = options;
    this.#gateway = gateway;
  }

  /** Runs it all, and tells whether nothing was lost. */
  static async run(options: UpgradeSoakOptions): Promise<boolean> {
    await using echo = await EchoProcess.open();
    using matrix = new FaultMatrix();
    const text = upgradeSiteText({ application: echo.port, matrix, workers: options.workers });
    await using gateway = await RunningGateway.open(text, { keepsAccess: false });
    return await new UpgradeSoak(options, gateway).#run(matrix);
  }

  async #run(matrix: FaultMatrix): Promise<boolean> {
    const { upgrades, faults, sessions } = this.#options;
    await this.#open();
    const beating = setInterval(() => this.#beat(), beatMs);
    const stop = new AbortController();
    const rounds = new FaultRounds({
      ...{ port: this.#port("faults"), findings: this.#findings, seed: 0 },
      ...{ matrix, atOnce: 5, admin: this.#gateway.ready.admin },
    });
    const faulting = faults > 0 ? rounds.run(stop.signal) : undefined;
    for (let round = 1; round <= upgrades || rounds.done < faults; round++) await this.#upgrade(round);
    stop.abort();
    await faulting;
    clearInterval(beating);
    const isQuiet = (): boolean => this.#clients.every(({ isIdle }) => isIdle);
    await until(isQuiet, settleMs).catch(() => this.#findings.add("an answer never came"));
    for (const client of [...this.#clients, ...this.#visitors]) client.leave();
    for (const { level, message } of this.#gateway.lines) if (level === "error") this.#findings.add(String(message));
    const played = faults > 0 ? `, each fault ${rounds.done} times` : "";
    const verdict = this.#findings.count === 0 ? "nothing was lost" : `FAILED: ${this.#findings.count} findings`;
    say(`${this.#opened} handshakes beside ${sessions} sessions${played}: ${verdict}`);
    for (const found of this.#findings.texts) say(`found: ${found}`);
    return this.#findings.count === 0;
  }

  async #open(): Promise<void> {
    const { sessions } = this.#options;
    const record = { findings: this.#findings, times: this.#times };
    while (this.#clients.length < sessions) {
      const count = Math.min(openTogether, sessions - this.#clients.length);
      const opening = Array.from({ length: count }, () => new CheckedClient(record).open(this.#port("web"), "/"));
      const fresh = await Promise.all(opening);
      await until(() => fresh.every(({ isIdle }) => isIdle), settleMs);
      this.#clients.push(...fresh);
    }
  }

  /** Every session says something in its turn, and visitors come and go. */
  #beat(): void {
    const { sessions, every, handshakes } = this.#options;
    for (let count = 0; count < sessions / every / beats; count++) this.#clients[this.#next++ % sessions]?.send();
    for (const visitor of this.#visitors) {
      if (!visitor.isIdle) continue;
      visitor.leave();
      this.#visitors.delete(visitor);
    }
    for (let count = 0; count < handshakes / beats; count++) {
      this.#opened++;
      const visitor = new CheckedClient({ findings: this.#findings, times: [] });
      this.#visitors.add(visitor);
      visitor.open(this.#port("web"), "/").catch(() => this.#findings.add("a connection was refused"));
    }
  }

  async #upgrade(round: number): Promise<void> {
    this.#times.length = 0;
    const { status, body } = await this.#gateway.admin("/api/upgrade", "POST");
    if (status !== 200) this.#findings.add(`upgrade ${round}: ${JSON.stringify(body)}`);
    await sleep(watchMs);
    // What the API of this very program answers.
    const items = (body.items ?? []) as readonly Report[];
    const paused = items
      .map(({ sessions, pausedMs }) => `${sessions} sessions in ${pausedMs.toFixed(0)} ms`)
      .join(", ");
    const sorted = this.#times.toSorted((one, other) => one - other);
    const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
    say(`upgrade ${round}: ${paused}; round trips: ${sorted.length}, p50 ${at(0.5)} p99 ${at(0.99)} most ${at(1)} ms`);
    if (at(0.99) >= patienceMs)
      this.#findings.add(`upgrade ${round}: messages took ${at(0.99)} ms at the 99th percentile`);
  }

  #port(name: string): number {
    return this.#gateway.ready.listeners.find((listener) => listener.name === name)?.port ?? 0;
  }
}
