import { parseArgs } from "node:util";
import { EchoProcess } from "../support/echo-process.ts";
import { makeFrame, someMask } from "../support/frames.ts";
import { handshake } from "../support/handshake.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";

/*
 * Upgrades under load: `bin/bun test/soak/upgrade.ts --sessions 5000 --upgrades 20 --handshakes 500`. Every session sends a message a
 * second and compares what comes back byte by byte; beside them new ones open, speak and close. Exit code 1 if anything was lost.
 */

/** Bytes of a message. */
const size = 200;
const settleMs = 20_000;

type Report = { readonly worker: string; readonly pausedMs: number; readonly sessions: number };

/** A client whose echo is checked, with as little work as can be: thousands share one process with their measurement. */
class EchoClient {
  readonly #onFault: (says: string) => void;
  readonly #times: number[];
  #socket: Bun.Socket<EchoClient> | undefined;
  #received: Buffer = Buffer.alloc(0);
  #expected: Buffer = Buffer.alloc(0);
  #sentAt = 0;
  #isOpen = false;
  isLeaving = false;

  constructor(onFault: (says: string) => void, times: number[]) {
    this.#onFault = onFault;
    this.#times = times;
  }

  get isIdle(): boolean {
    return this.#isOpen && this.#expected.length === 0;
  }

  async open(port: number): Promise<this> {
    this.#socket = await Bun.connect({ hostname: "127.0.0.1", port, data: this, socket: events });
    this.#socket.write(handshake({ target: "/" }));
    return this;
  }

  send(): void {
    if (!this.isIdle) return;
    const payload = crypto.getRandomValues(new Uint8Array(size));
    this.#expected = makeFrame({ opcode: 2, payload });
    this.#sentAt = performance.now();
    this.#socket?.write(makeFrame({ opcode: 2, payload, mask: someMask }));
  }

  leave(): void {
    this.isLeaving = true;
    this.#socket?.end();
  }

  take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    if (!this.#isOpen) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!this.#received.toString("latin1", 0, 12).endsWith("101")) this.#onFault("a handshake was refused");
      this.#isOpen = true;
      this.#received = this.#received.subarray(end + 4);
    }
    if (this.#received.length < this.#expected.length || this.#received.length === 0) return;
    if (!this.#received.equals(this.#expected)) this.#onFault("other bytes came back than were sent");
    this.#times.push(performance.now() - this.#sentAt);
    this.#received = this.#expected = Buffer.alloc(0);
  }

  gone(): void {
    if (!this.isLeaving) this.#onFault(this.#isOpen ? "a session ended" : "a handshake was not answered");
    this.isLeaving = true;
  }
}

const events: Bun.SocketHandler<EchoClient> = {
  data: (socket, bytes) => socket.data.take(bytes),
  close: (socket) => socket.data.gone(),
  end: (socket) => socket.data.gone(),
  error: (socket) => socket.data.gone(),
};

async function main(): Promise<boolean> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { sessions: text, upgrades: text, handshakes: text, workers: text } });
  const [sessions, upgrades] = [Number(values.sessions ?? 5000), Number(values.upgrades ?? 5)];
  const [perSecond, workers] = [Number(values.handshakes ?? 100), Number(values.workers ?? 1)];
  await using echo = await EchoProcess.open();
  const yaml = JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers,
    log: { format: "json", access: false },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [echo.address] } },
    routes: { all: { to: "app" } },
  });
  await using gateway = await RunningGateway.open(yaml);
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const faults = new Map<string, number>();
  const fault = (says: string): void => void faults.set(says, (faults.get(says) ?? 0) + 1);
  const times: number[] = [];
  const clients: EchoClient[] = [];
  while (clients.length < sessions) {
    const some = Array.from({ length: Math.min(100, sessions - clients.length) }, () =>
      new EchoClient(fault, times).open(port),
    );
    const fresh = await Promise.all(some);
    // One after the other, as far as the limit of handshakes under way from one address goes.
    await until(() => fresh.every(({ isIdle }) => isIdle), settleMs);
    clients.push(...fresh);
  }
  let opened = 0;
  const visitors = new Set<EchoClient>();
  const knocking = setInterval(() => {
    for (const visitor of visitors) {
      if (!visitor.isIdle) continue;
      visitor.leave();
      visitors.delete(visitor);
    }
    for (let count = 0; count < perSecond / 50; count++) {
      opened++;
      new EchoClient(fault, []).open(port).then(
        (visitor) => void visitors.add(visitor),
        () => fault("a connection was refused"),
      );
    }
  }, 20);
  let next = 0;
  const talking = setInterval(() => {
    for (let count = 0; count < sessions / 50; count++) clients[next++ % sessions]?.send();
  }, 20);
  for (let round = 1; round <= upgrades; round++) {
    times.length = 0;
    const answer = await gateway.admin("/api/upgrade", "POST");
    const items = (answer.body.items ?? []) as readonly Report[];
    if (answer.status !== 200) fault(`upgrade ${round}: ${JSON.stringify(answer.body)}`);
    await Bun.sleep(1500);
    const sorted = times.toSorted((one, other) => one - other);
    const paused = items.map((item) => `${item.sessions} sessions in ${item.pausedMs.toFixed(0)} ms`).join(", ");
    const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
    console.log(
      `upgrade ${round}: ${paused}; round trips: ${sorted.length}, p50 ${at(0.5)} p99 ${at(0.99)} most ${at(1)} ms`,
    );
  }
  clearInterval(knocking);
  clearInterval(talking);
  await until(() => clients.every(({ isIdle }) => isIdle), settleMs).catch(() => fault("an answer never came"));
  for (const client of [...clients, ...visitors]) client.leave();
  console.log(`${opened} handshakes beside ${sessions} sessions: ${faults.size === 0 ? "nothing was lost" : "FAULTS"}`);
  for (const [says, count] of faults) console.log(`  ${count} times: ${says}`);
  return faults.size === 0;
}

process.exit((await main()) ? 0 : 1);
