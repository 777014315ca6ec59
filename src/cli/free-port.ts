import { probePort } from "../controlplane/probe-port.ts";

/** Whether nobody listens at this address, shared or not. */
export async function isFree(host: string, port: number): Promise<boolean> {
  return "port" in (await probePort({ host, port }));
}

/** A port that was free a moment ago. */
export async function freePort(host: string): Promise<number> {
  const probe = await probePort({ host, port: 0 });
  if ("cause" in probe) throw new Error(`no port can be opened on ${host}`, { cause: probe.cause });
  return probe.port;
}
