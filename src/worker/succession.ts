import { closeSync } from "node:fs";
import { type FromSuccessor, handoverFormat, packLot, type ToSuccessor } from "../core/handover.ts";
import { workerProtocol } from "../core/worker-protocol.ts";
import type { Departure } from "../dataplane/departure.ts";
import type { Gateway } from "../dataplane/gateway.ts";
import { sendDescriptors } from "../dataplane/net/descriptor-passing.ts";
import { sleep, within } from "../kit/sleep.ts";

/** How long a successor may take to start, and how long it may hold everything up (ms). */
const startMs = 15_000;
const pauseMs = 10_000;
/** How often it is looked whether more can go, and how long what is under way may take (ms). */
const roundMs = 25;
const exchangeMs = 30_000;

/** What is handed over, and to which program. */
export type SuccessionOptions = {
  /** The command line of the successor. */
  readonly command: readonly string[];
  readonly gateway: Gateway;
  readonly begin: Omit<Extract<ToSuccessor, { type: "begin" }>, "type" | "format" | "listeners" | "verdicts">;
};

/** What came of it. `pausedMs` is how long nothing moved; `sessions` and `connections` are what went at once. */
export type SuccessionResult = {
  readonly pid: number;
  readonly pausedMs: number;
  readonly sessions: number;
  readonly connections: number;
};

/** A successor, from its start until it has everything that can go to it. */
export class Succession {
  readonly #options: SuccessionOptions;
  readonly #child: Bun.Subprocess;
  readonly #socket: number;
  readonly #departure: Departure;
  readonly #failed = Promise.withResolvers<never>();
  #heard = Promise.withResolvers<FromSuccessor>();

  constructor(options: SuccessionOptions) {
    this.#options = options;
    this.#departure = options.gateway.depart();
    this.#failed.promise.catch(() => {});
    this.#child = Bun.spawn([...options.command], {
      stdio: ["ignore", "inherit", "inherit", "socket-fd"],
      serialization: "json",
      // The successor is of a version that talks about handovers, or it would not have been started with these arguments.
      ipc: (message: FromSuccessor) => this.#heard.resolve(message),
    });
    this.#socket = Number(this.#child.stdio[3]);
    void this.#child.exited.then((code) => this.#failed.reject(new Error(howEnded(this.#child, code))));
  }

  /** The successor's. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Hands everything over that can go at once. Rejects if the successor does not take it; then all goes on here. */
  async run(): Promise<SuccessionResult> {
    const { gateway, begin } = this.#options;
    try {
      const ready = await this.#hear("ready", startMs);
      refuseStrangers(ready);
      const { states, descriptors } = this.#departure.listeners();
      if (descriptors.length > 0) sendDescriptors(this.#socket, descriptors);
      const format = handoverFormat;
      this.#send({ type: "begin", format, listeners: states, verdicts: gateway.verdicts, ...begin });
      await this.#hear("begun", startMs);
      const frozenAt = performance.now();
      const sent = await this.#round();
      await this.#hear("serving", pauseMs);
      const pausedMs = performance.now() - frozenAt;
      gateway.stopAccepting();
      return { pid: this.#child.pid, pausedMs, ...sent };
    } catch (error) {
      this.#child.kill("SIGKILL");
      this.#close();
      throw error;
    }
  }

  /** Hands over what ends its exchange meanwhile, until nothing is left that could. Never rejects. */
  async finish(): Promise<void> {
    const { gateway } = this.#options;
    const until = performance.now() + exchangeMs;
    try {
      for (;;) {
        const { exchanges, connections, sessions } = gateway.remains;
        if (exchanges === 0 && connections <= sessions) break;
        if (performance.now() > until) break;
        await sleep(roundMs);
        if (!isNothing(await this.#round())) await this.#hear("serving", pauseMs);
      }
    } catch {
      // What is left ends here.
    }
    this.#child.unref();
    this.#child.disconnect();
    this.#close();
  }

  /** One round: everything stops, crosses, and goes on there. */
  async #round(): Promise<Sent> {
    const sent: Sent = { sessions: 0, connections: 0 };
    try {
      for (const { lot, descriptors } of this.#departure.freeze()) {
        if (descriptors.length > 0) sendDescriptors(this.#socket, descriptors);
        this.#send({ type: "lot", lot: packLot(lot) });
        sent.sessions += lot.sessions.length;
        sent.connections += lot.connections.length;
      }
      if (isNothing(sent) && this.#isFollowing) return sent;
      this.#send({ type: "adopt" });
      await this.#hear("adopted", pauseMs);
    } catch (error) {
      this.#departure.thaw();
      throw error;
    }
    this.#isFollowing = true;
    // From here on there is no way back: only one process may ever read on.
    this.#send({ type: "go", orders: this.#departure.orders });
    this.#departure.letGo();
    return sent;
  }

  /** The first round also hands over the ports. */
  #isFollowing = false;

  #send(message: ToSuccessor): void {
    this.#child.send(message);
  }

  async #hear<T extends FromSuccessor["type"]>(
    type: T,
    deadlineMs: number,
  ): Promise<Extract<FromSuccessor, { type: T }>> {
    const late = `it was silent for ${deadlineMs / 1000} s`;
    const message = await within(Promise.race([this.#heard.promise, this.#failed.promise]), deadlineMs, undefined);
    this.#heard = Promise.withResolvers<FromSuccessor>();
    if (message === undefined) throw new Error(late);
    if (message.type === "failed") throw new Error(message.says);
    if (message.type !== type) throw new Error(`it said ${message.type} and not ${type}`);
    // The types were compared, which the compiler does not follow into a type parameter.
    return message as Extract<FromSuccessor, { type: T }>;
  }

  #close(): void {
    try {
      closeSync(this.#socket);
    } catch {
      // It was closed with the process.
    }
  }
}

/** What has crossed in one round. */
type Sent = { sessions: number; connections: number };

function isNothing({ sessions, connections }: Sent): boolean {
  return sessions + connections === 0;
}

/** Throws if the successor would not understand what it is told, or would not be understood. */
function refuseStrangers({ formats, protocol = workerProtocol }: Extract<FromSuccessor, { type: "ready" }>): void {
  if (!formats.includes(handoverFormat))
    throw new Error(`it reads handovers of version ${formats.join(", ")}, and this is ${handoverFormat}`);
  if (protocol !== workerProtocol)
    throw new Error(`it speaks version ${protocol} with control processes, and this one ${workerProtocol}`);
}

function howEnded(child: Bun.Subprocess, code: number): string {
  return child.signalCode === null ? `it ended with exit code ${code}` : `it ended by ${child.signalCode}`;
}
