import { expect, test } from "bun:test";
import { probePort } from "./probe-port.ts";

test("a port that somebody shares is taken, on every address that includes it", async () => {
  const options = { hostname: "127.0.0.1", port: 0, reusePort: true };
  using listener = Bun.listen({ ...options, socket: { data() {} } });
  for (const host of ["127.0.0.1", "0.0.0.0"]) {
    expect(await probePort({ host, port: listener.port })).toMatchObject({ cause: { code: "EADDRINUSE" } });
  }
});

test("a free port is free again after it was tried", async () => {
  const first = await probePort({ host: "127.0.0.1", port: 0 });
  const port = "port" in first ? first.port : 0;
  expect(port).toBeGreaterThan(0);
  expect(await probePort({ host: "127.0.0.1", port })).toEqual({ port });
});

test("an address of another machine is not bound", async () => {
  expect(await probePort({ host: "192.0.2.1", port: 0 })).toMatchObject({ cause: { code: "EADDRNOTAVAIL" } });
});
