import { GatewayError } from "../../core/errors.ts";
import type { ExchangeHost } from "../../core/exchange.ts";
import type { ConnectionState } from "../../core/handover.ts";
import type { ListenerSettings } from "../../core/snapshot.ts";
import { checkHandshake, upgradeKind } from "../../core/websocket-handshake.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { requestTooSlow } from "./client-errors.ts";
import { Lingering } from "./lingering.ts";
import { type MessageOwner, MessageWriter } from "./message-writer.ts";
import type { ParsedRequest } from "./request-head.ts";
import { RequestReader } from "./request-reader.ts";
import { type ExchangeConnection, ServedExchange } from "./served-exchange.ts";
import { responseHead } from "./write-response.ts";

/** A connection over HTTP/1.1, and what it belongs to. */
export type ServerOptions = {
  readonly wire: Wire;
  readonly host: ExchangeHost;
  readonly wheel: TimerWheel;
  readonly settings: Pick<ListenerSettings, "timeouts" | "limits">;
  readonly owner: ServerOwner;
};

/** The one that has accepted a connection. */
export interface ServerOwner {
  /** The connection begins or stops to count as pending: without a complete head, or with an unanswered handshake. */
  onPending(connection: ServerConnection, isPending: boolean): void;
  /** The connection is closed, or a session's. */
  onOver(connection: ServerConnection): void;
}

/** What a client may send ahead while its request is being answered (bytes). */
const maxPipelined = 65_536;
/** How long a client that has ended its direction may take nothing: most of those have closed, which looks the same (ms). */
const halfClosedMs = 10_000;

const nobody: MessageOwner = { onWritten() {} };

type State =
  /** Nothing of a request has come. */
  | "idle"
  /** A part of a head has come. */
  | "head"
  /** A request or a handshake is being answered. */
  | "exchange"
  /** The wire is closed or lingers, or has become a session's. */
  | "over";

/** One HTTP/1.1 connection of a client: reads requests one after the other, and has them answered in that order. */
export class ServerConnection implements Receiver, ExchangeConnection, DeadlineOwner {
  readonly #options: ServerOptions;
  readonly #deadline: Deadline;
  readonly #reader: RequestReader;
  #state: State = "idle";
  #isPending = false;
  #isReadingPaused = false;
  #exchange: ServedExchange | undefined;
  #hasPeerEnded = false;
  #isRetiring = false;
  /** Who had the wire when it was frozen. */
  #receiver: Receiver = this;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#deadline = new Deadline(options.wheel, this);
    this.#reader = new RequestReader(options.settings.limits);
  }

  start(): void {
    this.#setPending(true);
    this.#deadline.set(this.#options.settings.timeouts.headMs);
  }

  /** Answers what is no exchange, without reading any further, and ends the connection. */
  refuse(error: GatewayError, method = "GET"): void {
    const { wire, host } = this.#options;
    const reply = host.refuse(error, wire.peer);
    const { head, framing } = responseHead(reply, { method, version: 11, keepAlive: false });
    new MessageWriter({ wire, head, framing, body: reply.body, owner: nobody }).start();
    this.#linger();
  }

  /** Ends the connection when it is between two requests; otherwise after the answer that is under way, or the first one to come. */
  retire(): void {
    this.#isRetiring = true;
    if (this.#state === "idle" && !this.#isPending) this.#linger();
  }

  /** Stops, if it is between two requests and its wire can go to another process; undefined if not. */
  freeze(): { readonly state: Omit<ConnectionState, "listener">; readonly descriptor: number } | undefined {
    const { movable, isClosed } = this.#options.wire;
    const isBetween = this.#state === "idle" || this.#state === "head";
    if (!isBetween || movable === undefined || isClosed || this.#hasPeerEnded || this.#isRetiring) return undefined;
    this.#deadline.clear();
    this.#receiver = this.#options.wire.receiver;
    const { state: wire, descriptor } = movable.freeze();
    const input = this.#reader.content.toString("base64");
    return { state: { wire, input, isNew: this.#state === "idle" && this.#isPending }, descriptor };
  }

  /** Goes on, here or where it was `taken` over; `receiver` is this connection or somebody in front of it. */
  thaw(taken?: { readonly state: Omit<ConnectionState, "listener">; readonly receiver: Receiver }): void {
    const { wire, settings } = this.#options;
    const state = taken?.state;
    const isNew = state === undefined ? this.#isPending : state.isNew;
    if (isNew) this.#setPending(true);
    this.#deadline.set(isNew ? settings.timeouts.headMs : settings.timeouts.keepAliveMs);
    if (state !== undefined && state.input !== "") this.onBytes(Buffer.from(state.input, "base64"));
    wire.movable?.thaw({ receiver: taken?.receiver ?? this.#receiver, isPaused: false });
    if (this.#isRetiring) this.retire();
  }

  /** The client speaks another protocol: nothing has come that belongs here, and nothing will. */
  yield(): void {
    this.leave();
  }

  /** It goes on in another process. */
  letGo(): void {
    this.leave();
    this.#options.wire.movable?.letGo();
  }

  get wire(): Wire {
    return this.#options.wire;
  }

  get host(): ExchangeHost {
    return this.#options.host;
  }

  get hasPeerEnded(): boolean {
    return this.#hasPeerEnded;
  }

  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  get isReadingPaused(): boolean {
    return this.#isReadingPaused;
  }

  get mayAskMore(): boolean {
    return !this.#hasPeerEnded || this.#reader.size > 0;
  }

  onBytes(bytes: Uint8Array): void {
    switch (this.#state) {
      case "idle":
      case "head":
        this.#reader.add(bytes);
        return this.#readHead();
      case "exchange":
        return this.#exchange?.onBytes(bytes);
      case "over":
    }
  }

  onWritable(): void {
    this.#exchange?.onWritable();
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    if (this.#state === "exchange") this.#exchange?.onEnd();
    else if (this.#state !== "over") this.#close();
  }

  onClose(): void {
    if (this.#state === "exchange") this.#exchange?.clientGone();
    else this.#close();
  }

  pauseReading(): void {
    if (this.#isReadingPaused) return;
    this.#isReadingPaused = true;
    this.#options.wire.pause();
  }

  resumeReading(): void {
    if (!this.#isReadingPaused) return;
    this.#isReadingPaused = false;
    this.#options.wire.resume();
  }

  keepAhead(bytes: Uint8Array): void {
    this.#reader.add(bytes);
    if (this.#reader.size > maxPipelined) this.pauseReading();
  }

  endPending(): void {
    this.#setPending(false);
  }

  awaitProgress(stallMs: number): void {
    const ms = this.#hasPeerEnded ? halfClosedMs : stallMs;
    if (ms > 0) this.#deadline.set(ms);
    else this.#deadline.clear();
  }

  onAnswered(mayGoOn: boolean): void {
    if (mayGoOn && this.mayAskMore) this.#next();
    else this.#linger();
  }

  onBrokenOff(): void {
    this.#close();
  }

  onTooLate(): void {
    switch (this.#state) {
      case "idle":
        return this.#isPending ? this.#refuseLate() : this.#linger();
      case "head":
        return this.#refuseLate();
      case "exchange":
        return this.#exchange?.onTooLate();
      case "over":
    }
  }

  leave(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#exchange = undefined;
    this.#setPending(false);
    this.#options.owner.onOver(this);
    this.#deadline[Symbol.dispose]();
  }

  #readHead(): void {
    let request: ParsedRequest | undefined;
    try {
      request = this.#reader.read();
      if (request === undefined) this.#awaitMore();
      else this.#begin(request);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.refuse(error, request?.head.method ?? this.#reader.method);
    }
  }

  #awaitMore(): void {
    if (this.#hasPeerEnded) return this.#close();
    if (this.#state !== "idle" || this.#reader.size === 0) return;
    this.#state = "head";
    this.#setPending(true);
    this.#deadline.set(this.#options.settings.timeouts.headMs);
  }

  #begin(request: ParsedRequest): void {
    const { head, framing, version } = request;
    const kind = upgradeKind(head.headers) === "websocket" ? "handshake" : "request";
    if (kind === "handshake")
      checkHandshake({ method: head.method, version, headers: head.headers, hasBody: framing.kind !== "none" });
    this.#exchange = new ServedExchange(this, request, kind);
    this.#state = "exchange";
    this.#setPending(kind === "handshake");
    this.awaitProgress(0);
    this.#exchange.start(this.#reader.takeRest());
  }

  #next(): void {
    this.#exchange = undefined;
    this.#state = "idle";
    this.#deadline.set(this.#options.settings.timeouts.keepAliveMs);
    this.resumeReading();
    // Not in the same turn: a client that pipelines thousands of requests shall not build a stack.
    if (this.#reader.size > 0) queueMicrotask(() => this.#state === "idle" && this.#readHead());
  }

  /** The last answer is written. */
  #linger(): void {
    this.leave();
    this.resumeReading();
    Lingering.start(this.#options.wire, this.#options.wheel);
  }

  #close(): void {
    if (this.#state === "over") return;
    if (this.#options.wire.queued > 0) return this.#linger();
    this.leave();
    this.#options.wire.destroy();
  }

  #refuseLate(): void {
    // A connection on which nothing ever came is closed without a word.
    if (this.#reader.size === 0) return this.#close();
    this.refuse(requestTooSlow("head"));
  }

  #setPending(isPending: boolean): void {
    if (this.#isPending === isPending) return;
    this.#isPending = isPending;
    this.#options.owner.onPending(this, isPending);
  }
}
