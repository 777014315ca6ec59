import type { Incoming, Next } from "../core/exchange.ts";
import { HeaderList } from "../core/headers.ts";
import { reasonPhrase } from "../core/reason-phrase.ts";
import { endsHere } from "./forward/max-forwards.ts";

/**
 * The way of `OPTIONS *`, which asks nothing but whether the server is there (RFC 9110 §9.3.7), and of an OPTIONS that may go no further;
 * undefined for all others. The first is for no upstream: which one it came to would be chance.
 */
export function serverWay({ head }: Incoming): Next | undefined {
  return head.target === "*" || endsHere(head) ? answer : undefined;
}

const answer: Next = async () => {
  const headers = HeaderList.from([["Date", new Date().toUTCString()]]);
  return { kind: "response", status: 204, reason: reasonPhrase(204), headers, body: undefined };
};
