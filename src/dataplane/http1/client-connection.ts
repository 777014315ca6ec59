import type { BodyStream } from "../../core/body.ts";
import { GatewayError } from "../../core/errors.ts";
import type { HeaderList } from "../../core/headers.ts";
import { Parking } from "../../core/parking.ts";
import type { Receiver, Wire } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { BodyDecoder, type BodyOwner } from "./body-decoder.ts";
import { type MessageOwner, MessageWriter, type WriteFraming } from "./message-writer.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";
import { after, asBuffer, emptyBuffer, findHeadEnd } from "./syntax.ts";

/** A request as it goes upstream. */
export type OutgoingRequest = {
  readonly method: string;
  /** The whole head with its empty line, latin1. */
  readonly head: string;
  readonly framing: WriteFraming;
  readonly body: Uint8Array | BodyStream | undefined;
  /** True for a WebSocket handshake, which may be answered with 101. */
  readonly isHandshake: boolean;
  /** How long the answer's head may take (ms); 0 waits for ever. The time in which the body still moves does not count. */
  readonly timeoutMs: number;
};

/**
 * The answer's head; its body, if it has one, waits to be started. After a 101 the wire belongs to whoever asked, and `parked`,
 * its receiver, holds what came behind the head.
 */
export type IncomingResponse = {
  readonly head: ResponseHead;
  readonly body: BodyStream | undefined;
  readonly parked?: Parking;
};

/** Whoever has asked: hears of interim answers, and then one of the other two, once. */
export interface AnswerOwner {
  onInterim(status: number, headers: HeaderList): void;
  /** The answer's final head has come. */
  onAnswer(response: IncomingResponse): void;
  /** `upstream_lost`, `upstream_invalid` or `upstream_timeout`, or why the request was given up. */
  onNoAnswer(error: GatewayError): void;
}

/** What an upstream's head may be long at most (bytes), and how many interim answers it may give. */
const maxHead = 262_144;
const maxInterims = 32;

/** One HTTP/1.1 connection to an upstream, for one request after the other. */
export class ClientConnection implements Receiver, BodyOwner, MessageOwner, DeadlineOwner, Disposable {
  /** How many requests it has answered before. */
  served = 0;
  /** True once any byte of the current answer has come. */
  hasHeard = false;
  readonly #wire: Wire;
  /** Told when the connection has ended or must not be used again. */
  #onUnusable: (() => void) | undefined;
  #input: Buffer = emptyBuffer;
  #request: OutgoingRequest | undefined;
  #writer: MessageWriter | undefined;
  #body: BodyDecoder | undefined;
  /** Who waits for an answer. */
  #owner: AnswerOwner | undefined;
  #interims = 0;
  #canReuse = false;
  #isOver = false;
  #deadline: Deadline | undefined;

  constructor(wire: Wire, wheel: TimerWheel) {
    this.#wire = wire;
    this.#deadline = new Deadline(wheel, this);
    wire.receiver = this;
  }

  /** True while the wire can take a next request: the last answer was read whole and both sides keep it open. */
  get isReusable(): boolean {
    return this.#canReuse && !this.#isOver && this.#writer?.isDone !== false;
  }

  /** While it waits in a pool, somebody wants to know when it is gone. */
  set onUnusable(tell: (() => void) | undefined) {
    this.#onUnusable = tell;
  }

  /** Sends a request; `owner` hears what comes of it, maybe before this returns. */
  request(request: OutgoingRequest, owner: AnswerOwner): void {
    this.#request = request;
    this.#interims = 0;
    this.hasHeard = false;
    this.#canReuse = false;
    this.#body = undefined;
    if (request.timeoutMs > 0) this.#deadline?.set(request.timeoutMs);
    else this.#deadline?.clear();
    this.#owner = owner;
    this.#writer = new MessageWriter({
      wire: this.#wire,
      head: request.head,
      framing: request.framing,
      body: request.body,
      owner: this,
    });
    this.#writer.start();
  }

  /** The same as a promise of the answer; interim ones are dropped. */
  ask(request: OutgoingRequest): Promise<IncomingResponse> {
    const { promise, resolve: onAnswer, reject: onNoAnswer } = Promise.withResolvers<IncomingResponse>();
    this.request(request, { onInterim() {}, onAnswer, onNoAnswer });
    return promise;
  }

  /** Ends the connection, whatever it is doing. */
  destroy(error?: GatewayError): void {
    if (this.#isOver) return;
    this.#fail(error ?? new GatewayError("upstream_lost", "the request was given up"));
  }

  /** Ends the wire, also when it has become a session's. */
  [Symbol.dispose](): void {
    this.destroy();
    this.#wire.destroy();
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#body !== undefined && !this.#body.isOver) return this.#body.feed(bytes);
    // Nothing was asked: what comes cannot be an answer (and must never become the answer to somebody else's request).
    if (this.#owner === undefined) return this.#fail(lost("the upstream sent bytes that nobody asked for"));
    this.hasHeard = true;
    this.#input = this.#input.length === 0 ? asBuffer(bytes) : Buffer.concat([this.#input, bytes]);
    this.#readHead();
  }

  onWritable(): void {
    this.#writer?.onWritable();
  }

  onWritten(error: GatewayError | undefined): void {
    if (error !== undefined) this.#fail(error);
  }

  onEnd(): void {
    this.#ended(undefined);
  }

  onClose(error: Error | undefined): void {
    this.#ended(error);
  }

  pauseReading(): void {
    this.#wire.pause();
  }

  resumeReading(): void {
    this.#wire.resume();
  }

  onBodyRead(rest: Uint8Array): void {
    if (rest.length > 0) this.#fail(lost("the upstream sent more than its answer"));
  }

  onBodyBad(error: GatewayError): void {
    this.#fail(error);
  }

  onBodyCancelled(): void {
    this.#fail(lost("the answer was given up"));
  }

  onTooLate(): void {
    const timeoutMs = this.#request?.timeoutMs ?? 0;
    if (this.#owner === undefined || timeoutMs === 0) return;
    const writer = this.#writer;
    // A client that is slow to send its body is not the upstream's fault.
    const isClientsTurn = writer !== undefined && !writer.isDone && !writer.isBlocked;
    if (writer?.takesProgress() === true || isClientsTurn) return this.#deadline?.set(timeoutMs);
    const what = this.#request?.isHandshake === true ? "did not answer the handshake" : "gave no answer";
    this.#fail(new GatewayError("upstream_timeout", `the upstream ${what} within ${timeoutMs} ms`));
  }

  #endDeadline(): void {
    this.#deadline?.[Symbol.dispose]();
    this.#deadline = undefined;
  }

  #readHead(): void {
    try {
      while (this.#owner !== undefined) {
        const end = findHeadEnd(this.#input, 0);
        if ((end < 0 ? this.#input.length : end) > maxHead)
          throw new GatewayError("upstream_invalid", "the upstream's head is too long");
        if (end < 0) return;
        const head = parseResponseHead(this.#input, end, this.#request?.method ?? "GET");
        this.#input = after(this.#input, end + 2);
        if (head.status >= 200) return this.#onHead(head);
        if (head.status === 101) return this.#onSwitched(head);
        this.#onInterim(head);
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#fail(error);
    }
  }

  #onInterim(head: ResponseHead): void {
    if (++this.#interims > maxInterims)
      throw new GatewayError("upstream_invalid", "the upstream gives interim answers without end");
    this.#owner?.onInterim(head.status, head.headers);
  }

  #onSwitched(head: ResponseHead): void {
    if (this.#request?.isHandshake !== true)
      throw new GatewayError("upstream_invalid", "the upstream switched protocols unasked");
    const owner = this.#owner;
    // The session keeps this object only to end it: nothing of the handshake shall live as long.
    this.#owner = this.#request = this.#writer = undefined;
    this.#isOver = true;
    this.#endDeadline();
    const parked = new Parking();
    this.#wire.receiver = parked;
    parked.onBytes(this.#input);
    this.#input = emptyBuffer;
    owner?.onAnswer({ head, body: undefined, parked });
  }

  #onHead(head: ResponseHead): void {
    const owner = this.#owner;
    this.#owner = undefined;
    const input = this.#input;
    this.#input = emptyBuffer;
    this.served++;
    if (head.framing.kind === "none" || (head.framing.kind === "length" && head.framing.length === 0)) {
      this.#canReuse = head.isKeptAlive && input.length === 0;
      owner?.onAnswer({ head, body: undefined });
      return;
    }
    this.#canReuse = head.isKeptAlive;
    this.#body = new BodyDecoder(head.framing, this, "upstream_invalid");
    if (input.length > 0) this.#body.feed(input);
    owner?.onAnswer({ head, body: this.#body });
  }

  #ended(error: Error | undefined): void {
    if (this.#isOver) return;
    const why = lost("the upstream closed the connection before its answer was complete", error);
    this.#canReuse = false;
    // Only an orderly end completes an answer without a length; after a reset nobody knows how much is missing.
    if (error === undefined) this.#body?.endOfInput(why);
    this.#fail(why);
  }

  #fail(error: GatewayError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#canReuse = false;
    this.#endDeadline();
    this.#wire.destroy();
    this.#writer?.stop();
    // A body that still waits to be read keeps what has come; one that is flowing is told.
    this.#body?.breakOff(error);
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.onNoAnswer(error);
    this.#onUnusable?.();
  }
}

function lost(says: string, cause?: unknown): GatewayError {
  return new GatewayError("upstream_lost", says, { cause });
}
