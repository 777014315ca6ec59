import { expect, test } from "bun:test";
import { freePort, isFree } from "./free-port.ts";

test("a port that another listener shares is not free", async () => {
  const options = { hostname: "127.0.0.1", port: 0, reusePort: true };
  using listener = Bun.listen({ ...options, socket: { data() {} } });
  expect(await isFree("127.0.0.1", listener.port)).toBe(false);
  expect(await isFree("0.0.0.0", listener.port)).toBe(false);
});

test("a free port is free", async () => {
  expect(await isFree("127.0.0.1", await freePort("127.0.0.1"))).toBe(true);
});
