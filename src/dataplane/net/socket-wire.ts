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

/** What is true of a wire: one number instead of a field for each, because every session has two wires. */
const is = {
  /** Our FIN follows what is queued, or has gone. */
  ending: 1,
  closed: 2,
  peerEnded: 4,
  /** Its receiver keeps what happens for whoever has it next. */
  frozen: 8,
} as const;

type Fact = (typeof is)[keyof typeof is];

/** Bytes with texts around them, which wait for the end of the turn. */
class Framed {
  readonly before: string;
  readonly bytes: Uint8Array;
  readonly after: string;

  constructor(before: string, bytes: Uint8Array, after: string) {
    this.before = before;
    this.bytes = bytes;
    this.after = after;
  }
}

/** A TCP socket as a Wire. It takes what the kernel takes; the rest is kept here until it drains. */
export class SocketWire implements Wire, Movable, SocketOwner, Outgoing {
  receiver: Receiver;
  readonly peer: PeerAddress;
  readonly security: WireSecurity | undefined;
  readonly #socket: OwnedSocket;
  readonly #keeper: WireKeeper;
  #queue: WriteQueue | undefined;
  /** Written in this turn of the event loop; only while nothing is queued. */
  #unsent: Uint8Array | Framed | undefined;
  #facts = 0;

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
    this.#park();
    const state = {
      peer: this.peer,
      queued: this.#queue?.content.toString("base64") ?? "",
      isEnding: this.#is(is.ending),
      hasPeerEnded: this.#is(is.peerEnded),
    };
    return { state, descriptor: this.#socket.fd };
  }

  thaw({ receiver, isPaused }: { readonly receiver: Receiver; readonly isPaused: boolean }): void {
    const kept = this.#is(is.frozen) ? this.receiver : undefined;
    this.#forget(is.frozen);
    this.receiver = receiver;
    if (!isPaused) this.resume();
    if (kept instanceof Parking) kept.release(receiver);
    if (this.queued > 0) this.drained();
    else if (this.#is(is.ending)) this.#sendEnd();
  }

  letGo(): void {
    if (this.isClosed) return;
    this.receiver = silentReceiver;
    this.#noteClosed();
    this.#queue = undefined;
    // Neither end() nor shutdown(), whose FIN would end the connection for everybody who has it.
    this.#socket.close();
  }

  #restore(state: WireState): void {
    this.#park();
    if (state.isEnding) this.#note(is.ending);
    if (state.hasPeerEnded) this.#note(is.peerEnded);
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
    return this.#is(is.closed);
  }

  #is(fact: Fact): boolean {
    return (this.#facts & fact) !== 0;
  }

  #note(fact: Fact): void {
    this.#facts |= fact;
  }

  #forget(fact: Fact): void {
    this.#facts &= ~fact;
  }

  /** What was to follow does not any more. */
  #noteClosed(): void {
    this.#forget(is.ending);
    this.#note(is.closed);
  }

  /** False as soon as nothing more can be written. */
  get #isOpen(): boolean {
    return (this.#facts & (is.ending | is.closed)) === 0;
  }

  #park(): void {
    this.receiver = new Parking();
    this.#note(is.frozen);
  }

  write(bytes: Uint8Array): number {
    if (!this.#isOpen) return this.queued;
    if (this.#mayWait(bytes.length)) return this.#wait(bytes);
    this.send();
    return this.#write(bytes);
  }

  writeFramed(before: string, bytes: Uint8Array = noBytes, after = ""): number {
    if (!this.#isOpen) return this.queued;
    if (this.#mayWait(before.length + bytes.length + after.length)) return this.#wait(new Framed(before, bytes, after));
    this.send();
    return this.#write(latin1(before, bytes, after));
  }

  /** Sends what was written in this turn of the event loop. */
  send(): void {
    const unsent = this.#unsent;
    if (unsent === undefined) return;
    this.#unsent = undefined;
    if (unsent instanceof Framed) this.#writeJoined(unsent);
    else this.#write(unsent);
  }

  #mayWait(length: number): boolean {
    return this.#unsent === undefined && this.#queue === undefined && length <= mostUnsent;
  }

  #wait(unsent: Uint8Array | Framed): number {
    this.#unsent = unsent;
    outbox.add(this);
    return 0;
  }

  /** Nothing is allocated for what the kernel takes. */
  #writeJoined({ before, bytes, after }: Framed): void {
    const length = layLatin1(joined, before, bytes, after);
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
    if (!this.#isOpen) return;
    this.#note(is.ending);
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
    if (this.isClosed || queue === undefined || queue.bytes === 0 || this.#is(is.frozen)) return;
    const before = queue.bytes;
    queue.flush(this.#socket);
    if (queue.bytes === before) return;
    if (queue.bytes === 0) {
      this.#queue = undefined;
      if (this.#is(is.ending)) this.#sendEnd();
    }
    if (!this.isClosed) this.receiver.onWritable();
  }

  ended(): void {
    // One that was adopted finds the FIN again that its process before had found.
    if (this.#is(is.peerEnded)) return;
    this.#note(is.peerEnded);
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
    if (this.#is(is.peerEnded)) this.#closeSocket();
    else this.#socket.shutdown();
  }

  /** With TLS, end() would only send an alert and then wait for the peer's, for ever if it must be. */
  #closeSocket(): void {
    if (this.security === undefined) this.#socket.end();
    else this.#socket.close();
  }

  #finish(error: Error | undefined): void {
    if (this.isClosed) return;
    this.#noteClosed();
    this.#queue = this.#unsent = undefined;
    this.receiver.onClose(error);
  }
}
