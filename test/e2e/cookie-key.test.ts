import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningGateway } from "../support/running-gateway.ts";

test("AC-10.1: a cookie survives a restart and holds in every worker, and the secret behind it is shown nowhere", async () => {
  const folder = mkdtempSync(join(tmpdir(), "causeway-test-"));
  const applications = [0, 1, 2].map((number) =>
    Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(String(number)) }),
  );
  const yaml = `
workers: 2
cookieKey: { file: "${folder}/cookie.key" }
log: { format: json }
admin: { address: "127.0.0.1:0" }
listeners: { web: { address: "127.0.0.1:0" } }
upstreams:
  app:
    endpoints: [ ${applications.map(({ port }) => `"127.0.0.1:${port}"`).join(", ")} ]
    balance: round-robin
    sticky: { cookie: { name: app } }
routes: { all: { to: app } }
`;
  try {
    let cookie = "";
    let number = "";
    let secret = "";
    {
      await using gateway = await RunningGateway.open(yaml);
      secret = readFileSync(`${folder}/cookie.key`, "utf8").trim();
      const first = await fetch(gateway.url);
      cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
      number = await first.text();
      expect(await askTen(gateway.url, cookie)).toEqual([number]);
      const pages = ["/api/config", "/api/upstreams", "/api/routes", "/api/listeners", "/api/issues", "/metrics"];
      const shown = await Promise.all(pages.map(async (page) => (await fetch(gateway.ready.admin + page)).text()));
      expect(shown[0]).toContain('"sticky"');
      for (const text of [...shown, gateway.said, JSON.stringify(gateway.lines)]) expect(text).not.toContain(secret);
    }
    await using gateway = await RunningGateway.open(yaml);
    expect(await askTen(gateway.url, cookie)).toEqual([number]);
    expect(readFileSync(`${folder}/cookie.key`, "utf8").trim()).toBe(secret);
  } finally {
    for (const application of applications) await application.stop(true);
    rmSync(folder, { recursive: true });
  }
}, 20_000);

/** Who answers, over connections of their own, which the workers share. */
async function askTen(url: string, cookie: string): Promise<string[]> {
  const seen = new Set<string>();
  for (let turn = 0; turn < 10; turn++) {
    const response = await fetch(url, { headers: { Cookie: cookie, Connection: "close" } });
    expect(response.headers.get("set-cookie")).toBeNull();
    seen.add(await response.text());
  }
  return [...seen];
}
