import { GatewayError } from "../../core/errors.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { StreamedAnswer, StreamedExchange, StreamedRequest } from "../../core/shared-connection.ts";
import type { Wire } from "../../core/wire.ts";
import type { Attempt } from "./forward.ts";
import { findLine } from "./line.ts";

/** RFC 9110 §9.2.2. */
export const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** How often an endpoint is asked that has not looked at a request, or has ended its connection just then. */
const maxRounds = 3;

/** An answer on a stream, or the fresh connection on which an endpoint speaks HTTP/1.1 instead. */
export type Streamed =
  | { readonly kind: "answer"; readonly answer: StreamedAnswer; readonly held: StreamedExchange }
  | { readonly kind: "single"; readonly wire: Wire | undefined };

/**
 * Asks an endpoint over a shared connection. `single` is for what it does not take on a stream; its wire is undefined if
 * none was made for that.
 */
export async function askStreamed(attempt: Attempt, makeRequest: () => StreamedRequest): Promise<Streamed> {
  const { exchange, endpoint, parts } = attempt;
  for (let round = 1; ; ) {
    if (!endpoint.shared.mayOffer(parts.wheel.now)) return { kind: "single", wire: undefined };
    const line = await findLine(attempt);
    if (line.kind === "single") return line;
    const { connection } = line;
    if (exchange.kind === "handshake" && !connection.takesSessions) return { kind: "single", wire: undefined };
    // Others who waited with this one may have filled it meanwhile.
    if (!connection.hasRoom) continue;
    const isReused = connection.served > 0;
    const held = connection.request(makeRequest());
    exchange.scope.use(held);
    try {
      return { kind: "answer", answer: await held.answer, held };
    } catch (error) {
      exchange.scope.release(held);
      // For what comes next too: a body that was streamed is spent by being refused.
      if (connection.wantsHttp11) endpoint.shared.declined(parts.wheel.now);
      const isWorthIt = mayRepeat(exchange, error, { isReused: isReused && !held.hasHeard });
      if (round++ === maxRounds || exchange.scope.disposed || !isWorthIt) throw error;
      exchange.notes.tries++;
    }
  }
}

/** What nobody has looked at; and what is idempotent, if a connection ended just as it was used (RFC 9113 §8.7). */
function mayRepeat(exchange: Exchange, error: unknown, { isReused }: { readonly isReused: boolean }): boolean {
  if (!(error instanceof GatewayError) || error.code !== "upstream_lost") return false;
  if (error.canRetry) return true;
  if (!isReused || exchange.kind === "handshake" || !idempotent.has(exchange.head.method)) return false;
  return exchange.body === undefined || exchange.body instanceof Uint8Array;
}
