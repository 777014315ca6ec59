import { expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { header } from "../support/http-message.ts";
import { requires } from "../support/requires.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { signedPair } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

test.skipIf(!requires("curl", "curl"))(
  "curl over HTTP/2 and HTTP/1.1: the identity of a client goes upstream, and a foreign host is 421",
  async () => {
    using files = TlsFiles.make();
    const pairs = ["a.test", "c.test"].map((host) => signedPair({ name: host, hosts: [host] }));
    const certificates = pairs.map((pair, at) => files.add(`${at}`, pair));
    const client = files.add("client", signedPair({ name: "partner" }));
    await using backend = ScriptedBackend.open(friendly, undefined);
    const tls = { certificates, clientCertificates: { mode: "required", ca: "authority.pem" } };
    await using fixture = GatewayFixture.open({ to: [backend], listener: { tls } });
    const { port } = fixture;
    const curl = async (...more: string[]): Promise<string> => {
      const name = ["--resolve", `a.test:${port}:127.0.0.1`, `https://a.test:${port}/`];
      const words = ["-sk", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", ...more, ...name];
      const child = Bun.spawn(["curl", ...words], { stdout: "pipe", stderr: "ignore" });
      return new Response(child.stdout).text();
    };
    const shows = ["--cert", client.cert, "--key", client.key];
    expect(await curl(...shows)).toBe("2 200");
    expect(await curl(...shows, "--http1.1")).toBe("1.1 200");
    expect(await curl(...shows, "-H", "Host: c.test")).toBe("2 421");
    expect(await curl()).toEndWith(" 000");
    const seen = backend.requests.map((arrived) => header(arrived, "x-forwarded-client-cert"));
    expect(seen).toEqual([expect.stringContaining('Subject="CN=partner"'), seen[0]]);
  },
);
