import type { BodyStream } from "../../core/body.ts";
import { GatewayError } from "../../core/errors.ts";
import type { Exchange, Reply } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import { reasonPhrase } from "../../core/reason-phrase.ts";
import type { StreamedAnswer, StreamedRequest } from "../../core/shared-connection.ts";
import { authorityOf } from "../../core/snapshot.ts";
import { ClientConnection, type IncomingResponse } from "../http1/client-connection.ts";
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
  return toReply(await ask(attempt, new ClientConnection(wire, parts.wheel)), exchange.head.method);
}

/** Over a connection that is this request's alone as long as it lasts. */
async function sendAlone(attempt: Attempt): Promise<Reply> {
  const reused = attempt.endpoint.pool.take();
  if (reused !== undefined) {
    try {
      return toReply(await ask(attempt, reused), attempt.exchange.head.method);
    } catch (error) {
      if (!mayRepeat(attempt.exchange, reused, error)) throw error;
      attempt.exchange.notes.tries++;
    }
  }
  const { connection } = await connect(attempt);
  return toReply(await ask(attempt, connection), attempt.exchange.head.method);
}

/** A kept connection may have ended just as it was used: RFC 9112 §9.3.1 allows to repeat what is idempotent. */
function mayRepeat(exchange: Exchange, connection: ClientConnection, error: unknown): boolean {
  if (!(error instanceof GatewayError) || error.code !== "upstream_lost") return false;
  if (connection.hasHeard || exchange.scope.disposed) return false;
  return idempotent.has(exchange.head.method) && (exchange.body === undefined || exchange.body instanceof Uint8Array);
}

function ask(attempt: Attempt, connection: ClientConnection): Promise<IncomingResponse> {
  const { exchange, endpoint } = attempt;
  exchange.scope.use(new Loan(connection, attempt));
  const framing = outgoingFraming(exchange);
  return connection.request({
    method: exchange.head.method,
    head: upstreamHead(exchange, framing, endpoint.address),
    framing: framing.kind === "handshake" ? "none" : framing.kind,
    body: exchange.body,
    isHandshake: false,
    timeoutMs: exchange.route.timeouts.requestMs,
    onInterim: (status, headers) => passInterim(exchange, status, headers),
  });
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

/** A connection that goes back to the pool when its exchange is over, if it can take another request. */
class Loan implements Disposable {
  readonly #connection: ClientConnection;
  readonly #attempt: Attempt;
  /** The endpoint's may be another one by then, for connections that are secure in another way. */
  readonly #pool: Attempt["endpoint"]["pool"];

  constructor(connection: ClientConnection, attempt: Attempt) {
    this.#connection = connection;
    this.#attempt = attempt;
    this.#pool = attempt.endpoint.pool;
  }

  [Symbol.dispose](): void {
    const { endpoint, parts } = this.#attempt;
    if (this.#connection.isReusable && !endpoint.isLeaving) this.#pool.put(this.#connection, parts.wheel.now);
    else this.#connection.destroy();
  }
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
