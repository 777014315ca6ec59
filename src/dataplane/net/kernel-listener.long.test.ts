import { expect, test } from "bun:test";
import net from "node:net";
import { fileURLToPath } from "node:url";

test("with no descriptors left a listener rests, and goes on once there are some", async () => {
  const script = fileURLToPath(new URL("../../../test/support/few-descriptors.ts", import.meta.url));
  const child = Bun.spawn(["sh", "-c", `ulimit -n 60 && exec "$0" "$1"`, process.execPath, script], { stdout: "pipe" });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value: port } = await lines.read();
  const clients = Array.from({ length: 80 }, () => net.connect({ host: "127.0.0.1", port: Number(port) }));
  for (const client of clients) client.on("error", () => {});
  const said = JSON.parse((await lines.read()).value ?? "");
  expect(said.acceptedWithNone).toBeLessThan(60);
  // A listener that asks again and again would take all the time there is.
  expect(said.cpuMs).toBeLessThan(250);
  expect(said.acceptedInTheEnd).toBe(80);
  for (const client of clients) client.destroy();
}, 15_000);
