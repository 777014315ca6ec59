import type { ClosingState } from "../../core/handover.ts";
import type { SessionEnd } from "../../core/session.ts";
import type { Leg } from "./leg.ts";

/** How a session closes: how that began, and how far it is. */
export type Closing = {
  readonly how: ClosingState;
  /** What stands in the Close. */
  readonly text: string;
  /** The phase whose end the timer waits for: the Close frames, then the end of TCP. */
  isTearingDown: boolean;
  /** Milliseconds of the wheel. */
  timerArmedAt: number;
};

/** A closing that begins. */
export function closingOf(how: ClosingState, text: string): Closing {
  return { how, text, isTearingDown: false, timerArmedAt: 0 };
}

/** That of a session which is cut before anybody closes it. */
export function unexplained(): Closing {
  return closingOf({ reason: "internal", initiator: "gateway", detail: undefined }, "");
}

/** How a session of two legs has ended. */
export function describeEnd(
  { client, upstream }: { readonly client: Leg; readonly upstream: Leg },
  closing: Closing,
): SessionEnd {
  const { reason, initiator, detail } = closing.how;
  const end: { -readonly [Key in keyof SessionEnd]: SessionEnd[Key] } = {
    reason,
    initiator,
    isClean: isClean(client) && isClean(upstream),
  };
  if (client.closeReceived !== undefined) end.clientCode = client.closeReceived;
  if (client.closeSent !== undefined) end.sentToClient = client.closeSent;
  if (upstream.closeReceived !== undefined) end.upstreamCode = upstream.closeReceived;
  if (upstream.closeSent !== undefined) end.sentToUpstream = upstream.closeSent;
  if (closing.text !== "") end.closeReason = closing.text;
  if (detail !== undefined) end.detail = detail;
  return end;
}

function isClean(leg: Leg): boolean {
  return leg.closeReceived !== undefined && leg.closeSent !== undefined;
}
