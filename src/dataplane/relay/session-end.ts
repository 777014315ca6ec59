import type { ClosingState } from "../../core/handover.ts";
import type { SessionEnd } from "../../core/session.ts";
import type { Leg } from "./leg.ts";

const unexplained: ClosingState = { reason: "internal", initiator: "gateway", detail: undefined };

/** How a session of two legs has ended. `closing` says how that began, and `closeReason` what stood in the Close. */
export function describeEnd(
  { client, upstream }: { readonly client: Leg; readonly upstream: Leg },
  closing: ClosingState | undefined,
  closeReason: string,
): SessionEnd {
  const { reason, initiator, detail } = closing ?? unexplained;
  const end: { -readonly [Key in keyof SessionEnd]: SessionEnd[Key] } = {
    reason,
    initiator,
    isClean: isClean(client) && isClean(upstream),
  };
  if (client.closeReceived !== undefined) end.clientCode = client.closeReceived;
  if (client.closeSent !== undefined) end.sentToClient = client.closeSent;
  if (upstream.closeReceived !== undefined) end.upstreamCode = upstream.closeReceived;
  if (upstream.closeSent !== undefined) end.sentToUpstream = upstream.closeSent;
  if (closeReason !== "") end.closeReason = closeReason;
  if (detail !== undefined) end.detail = detail;
  return end;
}

function isClean(leg: Leg): boolean {
  return leg.closeReceived !== undefined && leg.closeSent !== undefined;
}
