import { expect, test } from "bun:test";
import { signedPair } from "../../../test/support/test-certificates.ts";
import { formatIssue } from "../../core/issue.ts";
import type { IssuedPair } from "../../kit/issue-certificate.ts";
import type { Problem } from "./findings.ts";
import { readConfiguration } from "./read.ts";

const dayMs = 86_400_000;
const folder = "/etc/acme/ca.test-directory";
const text = JSON.stringify({
  acme: { directory: "https://ca.test/directory", agreeToTerms: true },
  listeners: {
    web: { address: ":80" },
    secure: { address: ":443", tls: { certificates: [{ acme: ["b.test", "a.test"] }, { acme: ["c.test"] }] } },
  },
  upstreams: { app: { endpoints: ["127.0.0.1:1"] } },
  routes: { all: { to: "app" } },
});

/** Reads it with these files in the folder of the certificates. */
function read(files: Readonly<Record<string, string>>) {
  const readFile = (path: string): string | Problem =>
    files[path.slice(folder.length + 1)] ?? { says: "there is no such file", try: "create it, or name another one" };
  const reading = readConfiguration([{ source: "/etc/causeway.yaml", text }], {}, readFile);
  const [, secure] = reading.configuration?.model.listeners ?? [];
  return { ...reading, said: reading.issues.map(formatIssue), tls: secure?.tls };
}

function bundle({ cert, key }: IssuedPair): string {
  return key + cert;
}

const site = signedPair({ name: "c", hosts: ["c.test"] });

test("what is ordered is told with its files, and is no problem while it is not there", () => {
  const { said, tls, configuration, files } = read({});
  expect(said).toEqual([]);
  expect(tls).toMatchObject({ certificates: [], alpn: ["h2", "http/1.1"] });
  expect(configuration?.settings.acme?.certificates).toEqual([
    {
      names: ["b.test", "a.test"],
      file: expect.stringMatching(/^\/etc\/acme\/ca\.test-directory\/a\.test-[0-9a-f]{8}\.pem$/),
    },
    { names: ["c.test"], file: `${folder}/c.test.pem` },
  ]);
  // They are watched before they are there.
  expect(files).toContain(`${folder}/c.test.pem`);
});

test("what has come is used, and its key is in one place only", () => {
  const { said, tls, configuration } = read({ "c.test.pem": bundle(site) });
  expect(said).toEqual([]);
  expect(tls?.certificates).toMatchObject([{ file: "acme/ca.test-directory/c.test.pem", names: ["c.test"] }]);
  const [pair] = configuration?.model.certificates ?? [];
  expect(pair).toMatchObject({ id: tls?.certificates[0]?.id, key: site.key });
  expect(pair?.cert).not.toContain("PRIVATE KEY");
});

test("the same names in another order are the same certificate, and other names another one", () => {
  const files = (names: readonly string[]) => {
    const other = text.replace('["b.test","a.test"]', JSON.stringify(names));
    const { configuration } = readConfiguration([{ source: "/etc/causeway.yaml", text: other }], {}, () => ({
      says: "there is no such file",
    }));
    return configuration?.settings.acme?.certificates[0]?.file;
  };
  expect(files(["b.test", "a.test"])).toBe(files(["a.test", "b.test"]));
  expect(files(["b.test", "d.test"])).not.toBe(files(["b.test", "a.test"]));
});

test.each([
  ["nonsense", "holds no certificate; another one is ordered"],
  [site.cert, "holds no private key; another one is ordered"],
  [site.cert + signedPair({ name: "x" }).key, "does not belong to its certificate; another one is ordered"],
])("a file that is of no use is a warning, and nothing is served from it", (broken, says) => {
  const { said, tls } = read({ "c.test.pem": broken });
  expect(said).toHaveLength(1);
  expect(said[0]).toContain("listeners.secure.tls.certificates[1].acme: warning: ");
  expect(said[0]).toContain(says);
  expect(tls?.certificates).toEqual([]);
});

test("one that has expired is a warning, and serves until there is another", () => {
  const old = signedPair({ name: "c", hosts: ["c.test"], from: Date.now() - 9 * dayMs, until: Date.now() - dayMs });
  const { said, tls } = read({ "c.test.pem": bundle(old) });
  expect(said[0]).toContain("expired on");
  expect(said[0]).toEndWith("; it is renewed");
  expect(tls?.certificates).toHaveLength(1);
});
