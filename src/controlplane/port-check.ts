import type { Configuration } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";
import { explainListenFailure, type ListenAddress, overlaps } from "../core/listen-address.ts";
import { formatAddress } from "../core/snapshot.ts";
import { probePort } from "./probe-port.ts";

/**
 * One error for every address of a configuration that cannot be bound. `held` are the addresses that this gateway itself listens on;
 * what overlaps with one of those cannot be tried out, and is left to the worker.
 */
export async function checkPorts(
  { model, settings }: Configuration,
  held: readonly ListenAddress[],
): Promise<readonly Issue[]> {
  const wanted = [
    { path: "admin.address", who: "the admin API cannot listen", address: settings.admin },
    ...model.listeners.map((listener) => ({
      path: `listeners.${listener.name}.address`,
      who: "cannot listen",
      address: listener,
    })),
  ];
  const issues: Issue[] = [];
  for (const { path, who, address } of wanted) {
    const { host, port } = address;
    if (port === 0 || held.some((other) => overlaps(address, other))) continue;
    const probe = await probePort({ host, port });
    if ("port" in probe) continue;
    const { says, try: instead } = explainListenFailure(probe.cause);
    const at = { source: "configuration", path };
    issues.push({ severity: "error", at, says: `${who} on ${formatAddress(address)}: ${says}`, try: instead });
  }
  return issues;
}
