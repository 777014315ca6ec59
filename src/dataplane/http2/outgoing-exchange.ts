import { GatewayError } from "../../core/errors.ts";
import { Parking } from "../../core/parking.ts";
import type { StreamedAnswer, StreamedExchange, StreamedRequest } from "../../core/shared-connection.ts";
import type { Receiver } from "../../core/wire.ts";
import { Deadline, type DeadlineOwner } from "../../kit/deadline.ts";
import type { TimerWheel } from "../../kit/timer-wheel.ts";
import { ContentWriter } from "./content-writer.ts";
import { errorCode, StreamFault } from "./frames.ts";
import type { MessageFields } from "./message-fields.ts";
import type { Stream } from "./stream.ts";
import { StreamBody, type StreamBodyOwner } from "./stream-body.ts";

/** How many interim answers an upstream may give. */
const maxInterims = 32;

/** What a request needs of its connection. */
export type OutgoingParts = {
  readonly stream: Stream;
  readonly wheel: TimerWheel;
  /** The head of the answer has come, or never will. */
  readonly onSettled: (stream: number) => void;
};

/** One request to an upstream on a stream, from its head to the end of the answer, or until a session takes the stream over. */
export class OutgoingExchange implements Receiver, DeadlineOwner, StreamBodyOwner, StreamedExchange {
  hasHeard = false;
  readonly #stream: Stream;
  readonly #onSettled: (stream: number) => void;
  readonly #answer = Promise.withResolvers<StreamedAnswer>();
  #deadline: Deadline | undefined;
  #request: StreamedRequest | undefined;
  #writer: ContentWriter | undefined;
  #body: StreamBody | undefined;
  #interims = 0;
  #isSettled = false;

  constructor(request: StreamedRequest, { stream, wheel, onSettled }: OutgoingParts) {
    this.#request = request;
    this.#stream = stream;
    this.#onSettled = onSettled;
    this.#deadline = new Deadline(wheel, this);
  }

  get answer(): Promise<StreamedAnswer> {
    return this.#answer.promise;
  }

  /** Sends the head, which is encoded already, and begins with the body. */
  start(head: Uint8Array): void {
    const { body, isHandshake, timeoutMs } = this.#request ?? { body: undefined, isHandshake: false, timeoutMs: 0 };
    this.#stream.receiver = this;
    if (timeoutMs > 0) this.#deadline?.set(timeoutMs);
    this.#stream.sendHeaders(head, body === undefined && !isHandshake);
    if (body === undefined) return;
    this.#writer = new ContentWriter(this.#stream, body, (error) => this.#onWritten(error));
    this.#writer.start(body);
  }

  /** A head has come: an interim one, or that of the answer. Throws a StreamFault for what is malformed. */
  onHead(fields: MessageFields, how: { readonly isLast: boolean }): void {
    this.hasHeard = true;
    fields.check();
    if (fields.isTooLarge) throw new StreamFault(errorCode.cancel, "the upstream's head is too long");
    const { status = "" } = fields.pseudo;
    if (!/^[1-9]\d\d$/.test(status) || status === "101") throw malformed("the upstream's :status is no status");
    if (Number(status) < 200) this.#onInterim(Number(status), fields, how);
    else this.#onAnswer(Number(status), fields, how);
  }

  onBytes(bytes: Uint8Array): void {
    this.#body?.feed(bytes);
  }

  onWritable(): void {
    this.#writer?.onWritable();
  }

  onEnd(): void {
    if (this.#isSettled) return this.#body?.end(this.#stream.trailers);
    this.#giveUp(new GatewayError("upstream_invalid", "the upstream ended its stream without an answer"));
  }

  onClose(error: Error | undefined): void {
    this.#fail(asLoss(error));
  }

  onBodyBad(): void {
    this.#writer?.stop();
    this.#stream.reset(errorCode.protocol);
  }

  onBodyCancelled(): void {
    this.#writer?.stop();
    this.#stream.reset(errorCode.cancel);
  }

  onTooLate(): void {
    const { timeoutMs = 0, isHandshake } = this.#request ?? {};
    if (this.#isSettled || timeoutMs === 0) return;
    const writer = this.#writer;
    // A client that is slow to send its body is not the upstream's fault.
    const isClientsTurn = writer !== undefined && !writer.isDone && !writer.isBlocked;
    const isMoving = writer?.hasProgressed === true && (!writer.isDone || writer.isBlocked);
    if (writer !== undefined) writer.hasProgressed = false;
    if (isMoving || isClientsTurn) return this.#deadline?.set(timeoutMs);
    const what = isHandshake === true ? "did not answer the handshake" : "gave no answer";
    this.#giveUp(new GatewayError("upstream_timeout", `the upstream ${what} within ${timeoutMs} ms`));
  }

  [Symbol.dispose](): void {
    if (this.#stream.receiver === this) this.#giveUp(new GatewayError("upstream_lost", "the request was given up"));
    else this.#stream.destroy();
  }

  #onInterim(status: number, { headers }: MessageFields, { isLast }: { readonly isLast: boolean }): void {
    if (isLast) throw malformed("an interim answer ends the stream");
    if (++this.#interims > maxInterims) throw malformed("the upstream gives interim answers without end");
    this.#request?.onInterim(status, headers);
  }

  #onAnswer(status: number, { headers }: MessageFields, { isLast }: { readonly isLast: boolean }): void {
    const { method, isHandshake } = this.#request ?? { method: "GET", isHandshake: false };
    if (isHandshake && status < 300) {
      if (isLast) throw malformed("the upstream opens a WebSocket and ends it at once");
      return this.#openSession({ status, headers, body: undefined });
    }
    const hasContent = method !== "HEAD" && status !== 204 && status !== 304;
    const length = contentLength(headers.all("content-length"));
    if (hasContent && isLast && length !== undefined && length > 0)
      throw malformed("the content is not as long as Content-Length says");
    if (hasContent && !isLast) this.#body = new StreamBody(this.#stream, { length, owner: this, badCode });
    this.#settle();
    this.#answer.resolve({ status, headers, body: this.#body });
  }

  /** The session keeps this object only to end the stream: nothing of the handshake shall live as long. */
  #openSession(answer: StreamedAnswer): void {
    const parked = new Parking();
    this.#stream.receiver = parked;
    this.#settle();
    this.#answer.resolve({ ...answer, session: { wire: this.#stream, parked } });
  }

  /** The client has broken its request off, which it told its exchange too. */
  #onWritten(error: GatewayError | undefined): void {
    if (error !== undefined) this.#giveUp(error);
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#deadline?.[Symbol.dispose]();
    this.#request = this.#deadline = undefined;
    this.#onSettled(this.#stream.id);
  }

  /** The stream ends from our side. */
  #giveUp(error: GatewayError): void {
    this.#stream.reset(errorCode.cancel);
    this.#fail(error);
  }

  #fail(error: GatewayError): void {
    // What a body has sent is gone, though the upstream may not have looked at it.
    const isSpent = error.canRetry && this.#writer !== undefined && !(this.#request?.body instanceof Uint8Array);
    this.#settle();
    this.#writer?.stop();
    this.#body?.fail(error);
    this.#answer.reject(isSpent ? new GatewayError(error.code, error.message, { cause: error.cause }) : error);
  }
}

const badCode = "upstream_invalid";

function contentLength(values: readonly string[]): number | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1 || !/^\d{1,15}$/.test(value)) throw malformed("Content-Length is no number");
  return Number(value);
}

function malformed(says: string): StreamFault {
  return new StreamFault(errorCode.protocol, says);
}

/** Why a stream is gone, in the words of exchanges. */
function asLoss(error: Error | undefined): GatewayError {
  if (error instanceof GatewayError) return error;
  if (error instanceof StreamFault) return new GatewayError("upstream_invalid", error.message, { cause: error });
  return new GatewayError("upstream_lost", "the upstream closed the connection before its answer was complete", {
    cause: error,
  });
}
