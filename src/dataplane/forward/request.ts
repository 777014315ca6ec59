import type { BodyStream } from "../../core/body.ts";
import type { GatewayError } from "../../core/errors.ts";
import type { Exchange, Reply } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import { reasonPhrase } from "../../core/reason-phrase.ts";
import type { StreamedAnswer, StreamedRequest } from "../../core/shared-connection.ts";
import { authorityOf } from "../../core/snapshot.ts";
import {
  type AnswerOwner,
  ClientConnection,
  type IncomingResponse,
  type OutgoingRequest,
} from "../http1/client-connection.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { connect } from "./connect.ts";
import type { Attempt } from "./forward.ts";
import { removeHopByHop } from "./hop-by-hop.ts";
import { askStreamed, idempotent } from "./streamed.ts";
import { type OutgoingFraming, upstreamFields, upstreamHead } from "./upstream-head.ts";

/** Sends a request over an idle connection or a fresh one, and returns the answer with its body still to come. */
export function sendRequest(attempt: Attempt): Promise<Reply> {
  return attempt.endpoint.speaksHttp2 ? sendStreamed(attempt) : sendAlone(attempt);
}

/** Over a connection that others share, if the endpoint has one. */
async function sendStreamed(attempt: Attempt): Promise<Reply> {
  const { exchange, parts } = attempt;
  const streamed = await askStreamed(attempt, () => streamedRequest(attempt));
  if (streamed.kind === "answer") return toReply(asResponse(streamed.answer), exchange.head.method);
  const { wire } = streamed;
  if (wire === undefined) return sendAlone(attempt);
  return new Errand(attempt, new ClientConnection(wire, parts.wheel), "fresh").run();
}

/** Over a connection that is this request's alone as long as it lasts. */
function sendAlone(attempt: Attempt): Promise<Reply> {
  const reused = attempt.endpoint.pool.take();
  return reused === undefined ? sendFresh(attempt) : new Errand(attempt, reused, "reused").run();
}

async function sendFresh(attempt: Attempt): Promise<Reply> {
  const { connection } = await connect(attempt);
  return new Errand(attempt, connection, "fresh").run();
}

/**
 * A request on a connection: it brings the answer, and the connection back to the pool when its exchange is over, if that can take
 * another one.
 */
class Errand implements AnswerOwner, Disposable {
  readonly #attempt: Attempt;
  readonly #connection: ClientConnection;
  readonly #how: "fresh" | "reused";
  /** The endpoint's may be another one by then, for connections that are secure in another way. */
  readonly #pool: Attempt["endpoint"]["pool"];
  readonly #reply = Promise.withResolvers<Reply>();

  constructor(attempt: Attempt, connection: ClientConnection, how: "fresh" | "reused") {
    this.#attempt = attempt;
    this.#connection = connection;
    this.#how = how;
    this.#pool = attempt.endpoint.pool;
  }

  run(): Promise<Reply> {
    const { exchange, endpoint } = this.#attempt;
    exchange.scope.use(this);
    const framing = outgoingFraming(exchange);
    const request: OutgoingRequest = {
      method: exchange.head.method,
      head: upstreamHead(exchange, framing, endpoint.address),
      framing: framing.kind === "handshake" ? "none" : framing.kind,
      body: exchange.body,
      isHandshake: false,
      timeoutMs: exchange.route.timeouts.requestMs,
    };
    this.#connection.request(request, this);
    return this.#reply.promise;
  }

  onInterim(status: number, headers: HeaderList): void {
    passInterim(this.#attempt.exchange, status, headers);
  }

  onAnswer(response: IncomingResponse): void {
    this.#reply.resolve(toReply(response, this.#attempt.exchange.head.method));
  }

  onNoAnswer(error: GatewayError): void {
    if (!this.#mayRepeat(error)) return this.#reply.reject(error);
    this.#attempt.exchange.notes.tries++;
    this.#reply.resolve(sendFresh(this.#attempt));
  }

  [Symbol.dispose](): void {
    const { endpoint, parts } = this.#attempt;
    if (this.#connection.isReusable && !endpoint.isLeaving) this.#pool.put(this.#connection, parts.wheel.now);
    else this.#connection.destroy();
  }

  /** A kept connection may have ended just as it was used: RFC 9112 §9.3.1 allows to repeat what is idempotent. */
  #mayRepeat({ code }: GatewayError): boolean {
    const { exchange } = this.#attempt;
    if (this.#how === "fresh" || code !== "upstream_lost") return false;
    if (this.#connection.hasHeard || exchange.scope.disposed) return false;
    return idempotent.has(exchange.head.method) && (exchange.body === undefined || exchange.body instanceof Uint8Array);
  }
}

function passInterim(exchange: Exchange, status: number, headers: HeaderList): void {
  removeHopByHop(headers);
  // RFC 9110 §8.6: an interim answer has none, and who believes one loses its place in the stream.
  headers.delete("content-length");
  exchange.interim(status, headers);
}

function streamedRequest({ exchange, endpoint }: Attempt): StreamedRequest {
  const { head, headers, body, route } = exchange;
  const framing = outgoingFraming(exchange);
  return {
    method: head.method,
    scheme: endpoint.isSecure ? "https" : "http",
    authority: headers.get("host") ?? authorityOf(endpoint.address),
    path: exchange.target,
    isHandshake: false,
    headers: upstreamFields(exchange, framing.kind === "length" ? framing.length : undefined),
    body,
    timeoutMs: route.timeouts.requestMs,
    onInterim: (status, fields) => passInterim(exchange, status, fields),
  };
}

/** What came on a stream, where there is no reason phrase. */
export function asResponse({ status, headers, body }: StreamedAnswer): AnsweredHead {
  return { head: { status, headers, reason: reasonPhrase(status) }, body };
}

function outgoingFraming(exchange: Exchange): OutgoingFraming {
  const { body, head } = exchange;
  if (body === undefined) {
    // A method that usually has content says that there is none (RFC 9110 §8.6).
    return head.method === "POST" || head.method === "PUT" ? { kind: "length", length: 0 } : { kind: "none" };
  }
  return body.length === undefined ? { kind: "chunked" } : { kind: "length", length: body.length };
}

/** What is needed of an answer, whatever it came over. */
export type AnsweredHead = {
  readonly head: Pick<ResponseHead, "status" | "reason" | "headers">;
  readonly body: BodyStream | undefined;
};

/** An upstream's answer as a reply: without hop-by-hop fields, and with a length only where it is not that of the body. */
export function toReply(response: AnsweredHead, method: string): Reply {
  const { head, body } = response;
  const { headers } = head;
  removeHopByHop(headers);
  const isAboutGet = method === "HEAD" || head.status === 304;
  if (!isAboutGet) headers.delete("content-length");
  return { kind: "response", status: head.status, reason: head.reason, headers, body };
}
