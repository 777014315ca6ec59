import type { WireState } from "../../core/handover.ts";
import { Parking } from "../../core/parking.ts";
import {
  type Movable,
  type PeerAddress,
  type Receiver,
  silentReceiver,
  type Wire,
  type WireSecurity,
} from "../../core/wire.ts";
import { giveBack } from "../../kit/give-back.ts";
import { latin1, layLatin1, noBytes } from "../../kit/latin1.ts";
import { remainder, WriteQueue } from "../../kit/write-queue.ts";
import { type Outgoing, outbox } from "./outbox.ts";
import { readMemory } from "./read-memory.ts";
import type { OwnedSocket, SocketOwner } from "./socket-owner.ts";

/** The one that a wire belongs to, beside its receiver. */
export interface WireKeeper {
  /** The socket is gone, whoever ended it; called once. */
  onGone(): void;
  /** The receiver threw, which it must not: its wire is closed. */
  onFault(error: unknown): void;
}

/** A socket that becomes a wire, and who is behind it. */
export type SocketWireOptions = {
  readonly socket: OwnedSocket;
  readonly peer: PeerAddress;
  readonly receiver: Receiver;
  readonly keeper: WireKeeper;
  /** Given if the socket speaks TLS. */
  readonly security?: WireSecurity;
  /** Given if another process had it before: it is frozen, and its receiver the one that `thaw` names. */
  readonly state?: WireState;
};

/** What is longer is sent at once, so that whoever writes hears early of a slow peer (bytes). */
const mostUnsent = 16_384;
/** Where what waited is put together with the texts around it, just before it is sent. */
const joined = Buffer.allocUnsafeSlow(mostUnsent);

/** What was last sent whole, and was too long to wait. */
let sentWhole: Uint8Array | undefined;

/** A TCP socket as a Wire. It takes what the kernel takes; the rest is kept here until it drains. */
export class SocketWire implements Wire, Movable, SocketOwner, Outgoing {
  receiver: Receiver;
  readonly peer: PeerAddress;
  readonly security: WireSecurity | undefined;
  readonly #socket: OwnedSocket;
  readonly #keeper: WireKeeper;
  #queue: WriteQueue | undefined;
  /** Written in this turn of the event loop, with texts around it; only while nothing is queued. */
  #unsent: Uint8Array | undefined;
  #before = "";
  #after = "";
  /** While it is `ending` our FIN follows what is queued, or has gone. */
  #stage: "open" | "ending" | "closed" = "open";
  #hasPeerEnded = false;
  /** Hears what happens while the wire is frozen. */
  #parking: Parking | undefined;

  constructor(options: SocketWireOptions) {
    this.#socket = options.socket;
    this.#keeper = options.keeper;
    this.peer = options.peer;
    this.security = options.security;
    this.receiver = options.receiver;
    if (options.state !== undefined) this.#restore(options.state);
  }

  /** The keys of TLS are in this process alone. */
  get movable(): Movable | undefined {
    return this.security === undefined ? this : undefined;
  }

  freeze(): { readonly state: WireState; readonly descriptor: number } {
    this.pause();
    this.send();
    this.receiver = this.#parking = new Parking();
    const state = {
      peer: this.peer,
      queued: this.#queue?.content.toString("base64") ?? "",
      isEnding: this.#stage === "ending",
      hasPeerEnded: this.#hasPeerEnded,
    };
    return { state, descriptor: this.#socket.fd };
  }

  thaw({ receiver, isPaused }: { readonly receiver: Receiver; readonly isPaused: boolean }): void {
    const parking = this.#parking;
    this.#parking = undefined;
    this.receiver = receiver;
    if (!isPaused) this.resume();
    parking?.release(receiver);
    if (this.queued > 0) this.drained();
    else if (this.#stage === "ending") this.#sendEnd();
  }

  letGo(): void {
    if (this.isClosed) return;
    this.receiver = silentReceiver;
    this.#stage = "closed";
    this.#queue = undefined;
    // Neither end() nor shutdown(), whose FIN would end the connection for everybody who has it.
    this.#socket.close();
  }

  #restore(state: WireState): void {
    this.receiver = this.#parking = new Parking();
    if (state.isEnding) this.#stage = "ending";
    this.#hasPeerEnded = state.hasPeerEnded;
    if (state.queued === "") return;
    this.#queue = new WriteQueue();
    this.#queue.push(Buffer.from(state.queued, "base64"));
  }

  /** What the kernel does not take is only known once it was asked to. */
  get queued(): number {
    this.send();
    return this.#queue === undefined ? 0 : this.#queue.bytes;
  }

  get isClosed(): boolean {
    return this.#stage === "closed";
  }

  write(bytes: Uint8Array): number {
    if (this.#stage !== "open") return this.queued;
    if (this.#mayWait(bytes.length)) return this.#wait(bytes);
    this.send();
    return this.#write(bytes);
  }

  writeFramed(before: string, bytes: Uint8Array = noBytes, after = ""): number {
    if (this.#stage !== "open") return this.queued;
    if (this.#mayWait(before.length + bytes.length + after.length)) {
      this.#before = before;
      this.#after = after;
      return this.#wait(bytes);
    }
    this.send();
    return this.#write(latin1(before, bytes, after));
  }

  /** Sends what was written in this turn of the event loop. */
  send(): void {
    const unsent = this.#unsent;
    if (unsent === undefined) return;
    this.#unsent = undefined;
    if (this.#before === "" && this.#after === "") this.#write(unsent);
    else this.#writeJoined(unsent);
  }

  #mayWait(length: number): boolean {
    return this.#unsent === undefined && this.#queue === undefined && length <= mostUnsent;
  }

  #wait(bytes: Uint8Array): number {
    this.#unsent = bytes;
    outbox.add(this);
    return 0;
  }

  /** Nothing is allocated for what the kernel takes. */
  #writeJoined(bytes: Uint8Array): void {
    const length = layLatin1(joined, this.#before, bytes, this.#after);
    this.#before = this.#after = "";
    const taken = this.#socket.write(joined, 0, length);
    if (taken === length || taken < 0) return;
    this.#queue ??= new WriteQueue();
    this.#queue.push(new Uint8Array(joined.subarray(taken, length)));
  }

  #write(bytes: Uint8Array): number {
    const queue = this.#queue;
    if (queue !== undefined && queue.bytes > 0) return queue.push(bytes);
    const taken = this.#socket.write(bytes);
    if (taken === bytes.length && taken > mostUnsent) sentWhole = bytes;
    if (taken === bytes.length || taken < 0) return 0;
    this.#queue ??= new WriteQueue();
    return this.#queue.push(taken === 0 ? bytes : remainder(bytes, taken));
  }

  pause(): void {
    if (!this.isClosed) this.#socket.pause();
  }

  resume(): void {
    if (!this.isClosed) this.#socket.resume();
  }

  end(): void {
    if (this.#stage !== "open") return;
    this.#stage = "ending";
    if (this.queued === 0) this.#sendEnd();
  }

  destroy(): void {
    if (this.isClosed) return;
    this.receiver = silentReceiver;
    this.send();
    this.#finish(undefined);
    // Not terminate(): what the kernel holds shall still reach the peer.
    this.#closeSocket();
  }

  /** The socket was open before there was a wire. */
  opened(): void {}

  received(bytes: Uint8Array): void {
    this.receiver.onBytes(bytes);
    if (sentWhole === undefined) return;
    // It has gone out again as it came in, and nobody keeps it. Bun makes memory for every read, which would wait for the collector.
    if (sentWhole === bytes && !readMemory.giveBack(bytes)) giveBack(bytes);
    sentWhole = undefined;
  }

  drained(): void {
    const queue = this.#queue;
    if (this.isClosed || queue === undefined || queue.bytes === 0 || this.#parking !== undefined) return;
    const before = queue.bytes;
    queue.flush(this.#socket);
    if (queue.bytes === before) return;
    if (queue.bytes === 0) {
      this.#queue = undefined;
      if (this.#stage === "ending") this.#sendEnd();
    }
    if (!this.isClosed) this.receiver.onWritable();
  }

  ended(): void {
    // One that was adopted finds the FIN again that its process before had found.
    if (this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    if (!this.isClosed) this.receiver.onEnd();
  }

  /** Only this wire pays for a fault of its receiver. */
  failed(error: Error): void {
    this.#keeper.onFault(error);
    try {
      // What was written before the fault is good.
      this.send();
    } catch (again) {
      this.#keeper.onFault(again);
    }
    this.#closeSocket();
    try {
      this.#finish(error);
    } catch (again) {
      this.#keeper.onFault(again);
    }
  }

  closed(error: Error | undefined): void {
    // First, because what the receiver does may fail.
    this.#keeper.onGone();
    this.#finish(error);
  }

  /** Only dialling can be refused. */
  refused(): void {}

  /** Behind the peer's FIN there is nothing left to read, and closing sends ours: one system call instead of two. */
  #sendEnd(): void {
    if (this.#hasPeerEnded) this.#closeSocket();
    else this.#socket.shutdown();
  }

  /** With TLS, end() would only send an alert and then wait for the peer's, for ever if it must be. */
  #closeSocket(): void {
    if (this.security === undefined) this.#socket.end();
    else this.#socket.close();
  }

  #finish(error: Error | undefined): void {
    if (this.isClosed) return;
    this.#stage = "closed";
    this.#queue = this.#unsent = undefined;
    this.#before = this.#after = "";
    this.receiver.onClose(error);
  }
}
