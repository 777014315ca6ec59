import { afterAll, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { join } from "node:path";
import { signedPair, testAuthority } from "../../../test/support/test-certificates.ts";
import { TlsFiles } from "../../../test/support/tls-files.ts";
import { formatIssue } from "../../core/issue.ts";
import { configurationReader, readConfiguration } from "./read.ts";

const files = TlsFiles.make();
afterAll(() => files[Symbol.dispose]());

const dayMs = 86_400_000;
const site = signedPair({ name: "site", hosts: ["site.test", "*.site.test", "10.0.0.1"] });
const expired = signedPair({ name: "old", from: Date.UTC(2020, 0, 1), until: Date.UTC(2021, 0, 1) });
files.add("site", site);
files.add("other", signedPair({ name: "other" }));
files.add("expired", expired);
files.add("early", signedPair({ name: "early", from: Date.UTC(2090, 0, 1), until: Date.UTC(2091, 0, 1) }));
files.write("text.pem", "nothing of the kind");
files.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
files.write("broken.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
files.write(
  "locked.key",
  createPrivateKey(site.key)
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "open" })
    .toString(),
);
files.write("clients.pem", testAuthority().cert);

const environment = { SITE_PASSPHRASE: "open", WRONG: "wrong" };

function read(
  tls: object,
  reader = (texts: readonly { source: string; text: string }[]) => readConfiguration(texts, environment),
) {
  const text = JSON.stringify({
    listeners: { web: { address: ":8443", tls } },
    upstreams: { app: { endpoints: ["127.0.0.1:1"] } },
    routes: { all: { to: "app" } },
  });
  return reader([{ source: join(files.folder, "causeway.yaml"), text }]);
}

function issuesOf(tls: object): readonly string[] {
  return read(tls).issues.map((issue) =>
    formatIssue(issue).replace(/^.*causeway\.yaml:\d+:\d+: listeners\.web\.tls\.?/, ""),
  );
}

test("a listener names its certificates by id, and their keys stand apart", () => {
  const { configuration } = read({ certificates: [{ cert: "site.pem", key: "site.key" }] });
  const [listener] = configuration?.model.listeners ?? [];
  const [facts] = listener?.tls?.certificates ?? [];
  expect(facts).toEqual({
    id: expect.any(String),
    file: "site.pem",
    names: ["site.test", "*.site.test"],
    keyType: "ec",
    notAfter: expect.any(Number),
  });
  expect(Math.abs((facts?.notAfter ?? 0) - Date.now() - 90 * dayMs)).toBeLessThan(60_000);
  expect(configuration?.model.certificates).toEqual([{ id: facts?.id ?? "", cert: site.cert, key: site.key }]);
  expect(JSON.stringify(configuration?.model.listeners)).not.toContain("PRIVATE KEY");
});

test("a key that is encrypted is opened, and its passphrase forgotten", () => {
  const certificate = { cert: "site.pem", key: "locked.key", passphrase: { env: "SITE_PASSPHRASE" } };
  const { configuration } = read({ certificates: [certificate] });
  expect(configuration?.model.certificates?.[0]?.key).toBe(site.key);
});

test("the files that were read are told, with those that are not there", () => {
  const { files: read1 } = read({
    certificates: [{ cert: "site.pem", key: "gone.key" }],
    clientCertificates: { mode: "optional", ca: "clients.pem" },
  });
  expect(read1).toEqual(["site.pem", "gone.key", "clients.pem"].map((name) => join(files.folder, name)));
});

test.each([
  {
    pair: ["gone.pem", "site.key"],
    says: ['certificates[0].cert: "gone.pem": there is no such file; create it, or name another one'],
  },
  {
    pair: ["text.pem", "site.key"],
    says: ['certificates[0].cert: "text.pem" holds no certificate; name a PEM file with BEGIN CERTIFICATE in it'],
  },
  {
    pair: ["broken.pem", "site.key"],
    says: [
      'certificates[0].cert: "broken.pem" holds a certificate that cannot be read; name a PEM file with BEGIN CERTIFICATE in it',
    ],
  },
  {
    pair: ["site.pem", "site.pem"],
    says: ['certificates[0].key: "site.pem" holds no private key; name a PEM file with BEGIN PRIVATE KEY in it'],
  },
  {
    pair: ["site.pem", "broken.key"],
    says: ['certificates[0].key: "broken.key" holds a private key that cannot be read; name another PEM file'],
  },
  {
    pair: ["site.pem", "other.key"],
    says: [
      'certificates[0].key: the key in "other.key" does not belong to the certificate in "site.pem"; name the two that were made together',
    ],
  },
  {
    pair: ["site.pem", "locked.key"],
    says: ['certificates[0].key: the key in "locked.key" is encrypted; add passphrase: { env: NAME }'],
  },
  {
    pair: ["site.pem", "locked.key", { env: "WRONG" }],
    says: ['certificates[0].passphrase: this does not open the key in "locked.key"; write the right passphrase'],
  },
  {
    pair: ["site.pem", "locked.key", { env: "UNSET" }],
    says: ["certificates[0].passphrase: the environment variable UNSET is not set; set it"],
  },
  {
    pair: ["expired.pem", "expired.key"],
    says: ['certificates[0].cert: warning: the certificate in "expired.pem" expired on 2021-01-01; renew it'],
  },
  {
    pair: ["early.pem", "early.key"],
    says: [
      'certificates[0].cert: warning: the certificate in "early.pem" is not valid before 2090-01-01; look at the clock of this machine, or name another one',
    ],
  },
  {
    pair: ["gone.pem", "gone.key"],
    says: [
      'certificates[0].cert: "gone.pem": there is no such file; create it, or name another one',
      'certificates[0].key: "gone.key": there is no such file; create it, or name another one',
    ],
  },
])("a pair is read, or it is said what is wrong with it: $says", ({ pair: [cert, key, passphrase], says }) => {
  const certificate = { cert, key, ...(passphrase === undefined ? {} : { passphrase }) };
  expect(issuesOf({ certificates: [certificate] })).toEqual(says);
});

const certificates = [{ cert: "site.pem", key: "site.key" }];

test.each([
  {
    tls: { clientCertificates: { mode: "required" } },
    says: "clientCertificates: nothing says whose certificates are accepted; add ca: and the path of a PEM file",
  },
  {
    tls: { clientCertificates: { mode: "required", ca: "site.key" } },
    says: 'clientCertificates.ca: "site.key" holds no certificate; name a PEM file with BEGIN CERTIFICATE in it',
  },
  {
    tls: { clientCertificates: { mode: "required", ca: "clients.pem", crl: "site.pem" } },
    says: 'clientCertificates.crl: "site.pem" holds no list of revoked certificates; name a PEM file with an X509 CRL',
  },
  {
    tls: { minVersion: "TLSv1.3", maxVersion: "TLSv1.2" },
    says: "maxVersion: the newest version is older than the oldest one; write TLSv1.3, or leave it out",
  },
  { tls: { minVersion: "TLSv1.1" }, says: 'minVersion: this is "TLSv1.1"; write TLSv1.2 or TLSv1.3' },
  {
    tls: { ciphers: "nonsense" },
    says: 'ciphers: "nonsense" names no cipher that is known here; write ciphers as OpenSSL lists them, such as ECDHE+AESGCM',
  },
])("what is wrong with the terms is said: $says", ({ tls, says }) => {
  expect(issuesOf({ certificates, ...tls })).toEqual([says]);
});

test("a passphrase is not repeated in an issue", () => {
  const [says] = issuesOf({ certificates: [{ cert: "site.pem", key: "site.key", passphrase: 12345678 }] });
  expect(says).toStartWith("certificates[0].passphrase: this is no passphrase");
});

test("an expired certificate does not take the place of a valid one, and the next valid one does", () => {
  const reader = configurationReader();
  const tls = { certificates: [{ cert: "turn.pem", key: "turn.key" }] };
  const renewed = signedPair({ name: "renewed" });
  const inUse = [site, expired, renewed].map((pair) => {
    files.add("turn", pair);
    const { configuration, issues } = read(tls, reader);
    return [configuration?.model.certificates?.[0]?.cert, issues.map(({ severity, says }) => `${severity}: ${says}`)];
  });
  expect(inUse).toEqual([
    [site.cert, []],
    [
      site.cert,
      ['warning: the certificate in "turn.pem" expired on 2021-01-01, and the one that was here before stays in use'],
    ],
    [renewed.cert, []],
  ]);
});
