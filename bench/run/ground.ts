import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Placement } from "./child.ts";
import { onTheWayOut } from "./leftovers.ts";
import { LoadProcess } from "./load-process.ts";

/** What every run stands on: a folder of its own, and an echo server behind whatever is measured. */
export type Ground = {
  readonly folder: string;
  /** Where load and echo server run. */
  readonly onLoadCore: Placement;
  readonly echo: LoadProcess;
  readonly upstreamPort: number;
};

/** Makes the folder and starts the echo server; both go with `owned`, and also if the run is cut off. */
export async function layGround(
  owned: AsyncDisposableStack,
  { loadCore, payloadBytes }: { readonly loadCore: Placement["core"]; readonly payloadBytes: number },
): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "causeway-bench-"));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  owned.use(onTheWayOut(removeFolder));
  owned.defer(removeFolder);
  const onLoadCore = { core: loadCore, folder, logFile: join(folder, "load.log") };
  const echo = owned.use(LoadProcess.start("echo-server.ts", String(payloadBytes), onLoadCore));
  const upstreamPort = (await echo.answer("listen")).port;
  return { folder, onLoadCore, echo, upstreamPort };
}
