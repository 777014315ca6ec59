import type { z } from "zod";
import { type Draft, report } from "./sections.ts";
import type { upstreamSchema } from "./upstreams.ts";

type Upstream = Partial<z.output<typeof upstreamSchema>>;

/** Checks that what an upstream says of choosing goes together. */
export function checkChoice(draft: Draft, name: string, upstream: Upstream): void {
  const { balance, sticky, slowStart } = upstream;
  const hasCookie = typeof sticky === "object" && sticky.cookie !== undefined;
  if (hasCookie && draft.root.members?.has("cookieKey") !== true) {
    const says = "there is no key that cookies can be signed with";
    const instead = "add cookieKey: { file: cookie.key } at the top; a file that does not exist is made";
    report(draft, ["upstreams", name, "sticky", "cookie"], { says, try: instead });
  }
  checkZones(draft, name, upstream);
  checkRebalance(draft, name, upstream);
  if (typeof balance !== "object") return;
  if (sticky !== undefined && !hasCookie) {
    const says = "balance and sticky both say what is hashed";
    report(draft, ["upstreams", name, "sticky"], { says, try: "remove one of them" });
  }
  if (slowStart === undefined || slowStart === 0) return;
  const says = "a hash gives every endpoint its full share at once";
  report(draft, ["upstreams", name, "slowStart"], { says, try: "remove it, or choose another balance" });
}

/** Whoever is led back to the same endpoint need not be sent away from it. */
function checkRebalance(draft: Draft, name: string, { rebalance, balance, sticky, zones }: Upstream): void {
  if (rebalance === undefined || rebalance.dryRun) return;
  const others = [
    ...(typeof balance === "object" ? ["a hash"] : []),
    ...(sticky === undefined ? [] : ["sticky"]),
    ...(zones === undefined ? [] : ["zones"]),
  ];
  if (others.length === 0) return;
  const says = `with ${others.join(" and ")} clients come back to where they were`;
  report(draft, ["upstreams", name, "rebalance"], { says, try: "remove it, or write dryRun: true" });
}

function checkZones(draft: Draft, name: string, { zones, endpoints }: Upstream): void {
  if (zones === undefined || endpoints === undefined) return;
  if (endpoints.some((endpoint) => "zone" in endpoint && endpoint.zone === zones.prefer)) return;
  const says = `no endpoint stands in the zone ${zones.prefer}`;
  const instead = `write { address: …, zone: ${zones.prefer} } for one of them`;
  report(draft, ["upstreams", name, "zones", "prefer"], { severity: "warning", says, try: instead });
}
