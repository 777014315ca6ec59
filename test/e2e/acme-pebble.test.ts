import { expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { portToName } from "../support/port-to-name.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { testAuthority, testSite } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { askTls } from "../support/tls-peer.ts";
import { until } from "../support/until.ts";

// Pebble is the authority that Let's Encrypt tests its clients with. No Debian package brings it, so that where it is not on the PATH
// there is nothing to skip: the tests' own authority (acme.test.ts) checks the same. With Go it comes by
// go install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1 github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv@v2.10.1
const isThere = Bun.which("pebble") !== null && Bun.which("pebble-challtestsrv") !== null;

/** Pebble, and a DNS server that says of every name that it is here. */
async function startPebble(files: TlsFiles, ports: { readonly httpPort: number; readonly tlsPort: number }) {
  const [listenAt, manageAt, dnsAt, askAt] = await Promise.all(
    [1, 2, 3, 4].map(async () => `127.0.0.1:${await portToName()}`),
  );
  const pair = files.add("pebble", testSite());
  const config = {
    listenAddress: listenAt,
    managementListenAddress: manageAt,
    certificate: pair.cert,
    privateKey: pair.key,
    ...ports,
    ocspResponderURL: "",
    externalAccountBindingRequired: false,
  };
  const configFile = files.write("pebble.json", JSON.stringify({ pebble: config }));
  const quiet = { stdout: "ignore", stderr: "ignore" } as const;
  const off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""];
  const dns = Bun.spawn(
    [
      "pebble-challtestsrv",
      "-defaultIPv6",
      "",
      "-defaultIPv4",
      "127.0.0.1",
      "-dnsserver",
      `${dnsAt}`,
      "-management",
      `${askAt}`,
      ...off,
    ],
    { ...quiet },
  );
  // Waits of up to 15 seconds, and nonces that are refused by chance.
  const env = { ...process.env, PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "30" };
  const pebble = Bun.spawn(["pebble", "-config", configFile, "-dnsserver", `${dnsAt}`], { ...quiet, env });
  const directory = `https://${listenAt}/dir`;
  const tls = { ca: testAuthority().cert };
  await until(
    () =>
      fetch(directory, { tls }).then(
        ({ ok }) => ok,
        () => false,
      ),
    10_000,
  );
  return {
    directory,
    [Symbol.asyncDispose]: async () => {
      for (const child of [dns, pebble]) child.kill("SIGKILL");
      await Promise.all([dns.exited, pebble.exited]);
    },
  };
}

test.each(isThere ? (["http-01", "tls-alpn-01"] as const) : [])(
  "Pebble issues a certificate for two names by %s, to two workers",
  async (challenge) => {
    using files = TlsFiles.make();
    const [httpPort, tlsPort] = [await portToName(), await portToName()];
    await using pebble = await startPebble(files, { httpPort, tlsPort });
    await using gateway = await RunningGateway.open(
      JSON.stringify({
        admin: { address: "127.0.0.1:0" },
        workers: 2,
        log: { format: "json" },
        acme: {
          directory: pebble.directory,
          agreeToTerms: true,
          email: "ops@example.com",
          ca: files.write("authority.pem", testAuthority().cert),
          folder: `${files.folder}/acme`,
          challenge,
        },
        listeners: {
          web: { address: `127.0.0.1:${httpPort}`, redirectToHttps: true },
          secure: {
            address: `127.0.0.1:${tlsPort}`,
            tls: { certificates: [{ acme: ["a.example.com", "b.example.com"] }] },
          },
        },
        upstreams: { app: { endpoints: ["127.0.0.1:1"] } },
        routes: { all: { to: "app" } },
      }),
    );
    const answer = () => askTls(tlsPort, { servername: "b.example.com" });
    await until(async () => (await answer()).certificate !== undefined, 20_000);
    const { certificate } = await answer();
    const leaf = new X509Certificate(certificate?.raw ?? "");
    expect(leaf.subjectAltName).toBe("DNS:a.example.com, DNS:b.example.com");
    expect(leaf.issuer).toContain("Pebble Intermediate CA");
    expect(gateway.event("certificate-failed")).toBeUndefined();
  },
  40_000,
);
