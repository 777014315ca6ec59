import type { RequestHead } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";

const field = "max-forwards";

/** True for an OPTIONS that goes no further: who gets it answers it (RFC 9110 §7.6.2). */
export function endsHere({ method, headers }: RequestHead): boolean {
  return method === "OPTIONS" && /^0+$/.test(headers.get(field) ?? "");
}

/** One more hop: an OPTIONS says how many there may still be. With other methods the field means nothing, and what is no number stays. */
export function countHop(method: string, headers: HeaderList): void {
  if (method !== "OPTIONS") return;
  const left = headers.get(field);
  if (left !== undefined && /^\d{1,15}$/.test(left)) headers.set("Max-Forwards", String(Math.max(0, Number(left) - 1)));
}
