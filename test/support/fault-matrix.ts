import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { type Fault, FaultPeer, faults } from "./fault-peer.ts";
import { handshake } from "./handshake.ts";

/** When it goes wrong. */
export const phases = ["before-dial", "dialling", "before-101", "after-101", "mid-frame", "closing"] as const;
export type Phase = (typeof phases)[number];

/** Who does what wrong, and when. */
export type Cell = { readonly side: "client" | "backend"; readonly fault: Fault; readonly phase: Phase };

/** Every cell of the matrix. A backend that is not there before it is dialled can go wrong in one way only. */
export const cells: readonly Cell[] = (["client", "backend"] as const).flatMap((side) =>
  phases.flatMap((phase) =>
    faults
      .filter((fault) => side === "client" || phase !== "before-dial" || fault === "reset")
      .map((fault) => ({ side, fault, phase })),
  ),
);

type Trial = {
  readonly cell: Cell;
  isStarting: boolean;
  client: FaultPeer | undefined;
  backend: FaultPeer | undefined;
};

/** Good and bad clients and backends, on both sides of a gateway.  */
export class FaultMatrix implements Disposable {
  readonly #listener: Bun.TCPSocketListener<FaultPeer>;
  readonly deadPort: number;
  readonly #trials = new Map<number, Trial>();
  /** Never used twice, so that a backend that comes late is not taken for another trial's. */
  #lastId = 0;
  /** Backends that go wrong as soon as they are connected to, and do not know yet by which trial. */
  readonly #rash = new Map<Fault, Bun.TCPSocketListener<FaultPeer>>();
  readonly #rashPeers: FaultPeer[] = [];

  constructor() {
    this.#listener = Bun.listen<FaultPeer>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: FaultPeer.handlers("backend", () => this.#backendEvents()),
    });
    for (const fault of faults) this.#rash.set(fault, this.#listenRashly(fault));
    const gone = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    this.deadPort = gone.port;
    gone.stop(true);
  }

  get port(): number {
    return this.#listener.port;
  }

  /** The upstreams that a gateway has to have, each with a route of its name. */
  get upstreams(): Record<string, string[]> {
    const rash = [...this.#rash].map(([fault, { port }]) => [fault, [`127.0.0.1:${port}`]]);
    return { app: [`127.0.0.1:${this.port}`], dead: [`127.0.0.1:${this.deadPort}`], ...Object.fromEntries(rash) };
  }

  /** Plays a cell `times` times, all at once. */
  play(gatewayPort: number, cell: Cell, times: number): void {
    for (let count = 0; count < times; count++) this.#start(gatewayPort, cell);
  }

  /** Every peer that behaved well and was not let go. */
  get hanging(): string[] {
    return [...this.#trials.values()].flatMap(({ cell, client, backend }) => {
      const good = cell.side === "client" ? backend : client;
      return good === undefined || good.isClosed ? [] : [Object.values(cell).join(" ")];
    });
  }

  /** Codes of all Close frames that came to anybody. */
  get closeCodes(): ReadonlySet<number> {
    return new Set(
      [...this.#trials.values()].flatMap(({ client, backend }) => [
        ...(client?.closeCodes ?? []),
        ...(backend?.closeCodes ?? []),
      ]),
    );
  }

  /** Clients that have not come as far as their connection, or its refusal. */
  get starting(): number {
    return [...this.#trials.values()].filter((trial) => trial.isStarting).length;
  }

  /** Lets go of all connections, and forgets the trials. */
  clear(): void {
    for (const { client, backend } of this.#trials.values()) {
      if (client?.isClosed === false) client.drop();
      if (backend?.isClosed === false) backend.drop();
    }
    this.#trials.clear();
    for (const peer of this.#rashPeers.splice(0)) if (!peer.isClosed) peer.drop();
  }

  [Symbol.dispose](): void {
    this.clear();
    this.#listener.stop(true);
    for (const listener of this.#rash.values()) listener.stop(true);
  }

  #listenRashly(fault: Fault): Bun.TCPSocketListener<FaultPeer> {
    const onOpen = (peer: FaultPeer) => {
      this.#rashPeers.push(peer);
      peer.do(fault);
    };
    const socket = FaultPeer.handlers("backend", () => ({ onOpen }));
    return Bun.listen<FaultPeer>({ hostname: "127.0.0.1", port: 0, allowHalfOpen: true, socket });
  }

  #start(port: number, cell: Cell): void {
    const id = ++this.#lastId;
    const trial: Trial = { cell, isStarting: true, client: undefined, backend: undefined };
    this.#trials.set(id, trial);
    const events = {
      onOpen: (peer: FaultPeer) => {
        trial.client = peer;
        trial.isStarting = false;
        this.#clientOpened(trial, id);
      },
      onHead: (peer: FaultPeer) => peer.status === 101 && clientSwitched(trial, peer),
      onBytes: (peer: FaultPeer) => {
        if (cell.side === "client" && (cell.phase === "mid-frame" || cell.phase === "closing")) peer.do(cell.fault);
      },
    };
    Bun.connect<FaultPeer>({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: FaultPeer.handlers("client", () => events),
    }).catch(() => {
      trial.isStarting = false;
    });
  }

  #clientOpened({ cell, client }: Trial, id: number): void {
    const bytes = handshake({ target: targetOf(cell, id) });
    if (cell.side === "client" && cell.phase === "before-dial") client?.write(bytes.slice(0, 60));
    else client?.write(bytes);
    if (cell.side === "client" && (cell.phase === "before-dial" || cell.phase === "dialling")) client?.do(cell.fault);
  }

  #backendEvents() {
    let trial: Trial | undefined;
    return {
      onHead: (peer: FaultPeer, head: string) => {
        trial = this.#trials.get(Number(/^GET \/(\d+) /.exec(head)?.[1]));
        if (trial === undefined) return peer.drop();
        trial.backend = peer;
        backendAsked(trial, peer, head);
      },
      onBytes: (peer: FaultPeer) => {
        if (trial === undefined) return;
        const { side, fault, phase } = trial.cell;
        if (side === "backend" && (phase === "mid-frame" || phase === "closing")) peer.do(fault);
      },
    };
  }
}

function targetOf(cell: Cell, id: number): string {
  if (cell.side === "backend" && cell.phase === "before-dial") return "/dead/";
  return cell.side === "backend" && cell.phase === "dialling" ? `/${cell.fault}/` : `/app/${id}`;
}

function clientSwitched({ cell }: Trial, client: FaultPeer): void {
  if (cell.side === "client") {
    if (cell.phase === "mid-frame") client.sendHalfFrame();
    if (cell.phase === "after-101") client.do(cell.fault);
  } else if (cell.phase === "mid-frame") client.sendHalfFrame();
  else if (cell.phase === "closing") client.sendClose();
}

function backendAsked({ cell, client }: Trial, backend: FaultPeer, head: string): void {
  if (cell.phase === "before-101") {
    if (cell.side === "backend") backend.do(cell.fault);
    else client?.do(cell.fault);
    return;
  }
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? "";
  backend.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
  );
  if (cell.phase === "mid-frame") backend.sendHalfFrame();
  if (cell.side === "backend" && cell.phase === "after-101") backend.do(cell.fault);
  if (cell.side === "client" && cell.phase === "closing") backend.sendClose();
}
