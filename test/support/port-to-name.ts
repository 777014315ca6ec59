import { isFree } from "../../src/cli/free-port.ts";

/** Below the range out of which Linux gives ports to connections (32768 to 60999), above those of well-known services. */
const lowest = 20_000;
const highest = 32_000;

/**
 * A free port for those that must be told one and cannot open port 0. A port that the kernel chooses may be the near end
 * of somebody's connection by the time it is opened; these are never.
 */
export async function portToName(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree("127.0.0.1", port)) return port;
  }
}
