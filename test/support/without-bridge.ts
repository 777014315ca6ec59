import { afterAll, beforeAll } from "bun:test";
import { forgoBridges } from "./http2-bridge.ts";

/** For a file about its very connections: nothing stands between its tests and the gateway where others run over HTTP/2. */
export function goWithoutBridge(): void {
  beforeAll(() => forgoBridges(true));
  afterAll(() => forgoBridges(false));
}
