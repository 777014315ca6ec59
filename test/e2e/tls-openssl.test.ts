import { describe, expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { requires } from "../support/requires.ts";
import { signedPair, testAuthority } from "../support/test-certificates.ts";
import { TlsFiles } from "../support/tls-files.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";

goWithoutBridge();

describe.skipIf(!requires("openssl", "openssl"))("what openssl s_client sees", () => {
  const names = ["a.test", "c.test"];

  /** Its report on a handshake with these words; it ends at once. */
  async function report(words: string, { tls = {}, ...more }: { tls?: object; http2?: object } = {}): Promise<string> {
    using files = TlsFiles.make();
    const certificates = names.map((name) => files.add(name, signedPair({ name, hosts: [name] })));
    const authority = files.write("authority.pem", testAuthority().cert);
    await using fixture = GatewayFixture.open({ listener: { ...more, tls: { certificates, ...tls } } });
    const command = ["openssl", "s_client", "-connect", `127.0.0.1:${fixture.port}`, "-CAfile", authority];
    const child = Bun.spawn([...command, ...words.split(" ")], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return out + errors;
  }

  test.each([
    { words: "-servername c.test -verify_hostname c.test", subject: "CN = c.test", code: "0 (ok)" },
    { words: "-servername a.test -verify_hostname a.test", subject: "CN = a.test", code: "0 (ok)" },
    { words: "-noservername -verify_hostname c.test", subject: "CN = a.test", code: "62 (hostname mismatch)" },
    { words: "-servername nobody.test", subject: "CN = a.test", code: "0 (ok)" },
  ])("SNI: with $words the certificate of $subject, verified as $code", async ({ words, subject, code }) => {
    const said = await report(words);
    expect(said).toContain(`subject=${subject}\n`);
    expect(said).toContain(`Verify return code: ${code}`);
  });

  test.each([
    { words: "-tls1_3", tls: {}, says: "New, TLSv1.3, Cipher is TLS_AES_" },
    { words: "-tls1_2", tls: {}, says: "New, TLSv1.2, Cipher is ECDHE-ECDSA-" },
    { words: "-tls1_2", tls: { minVersion: "TLSv1.3" }, says: "alert protocol version" },
    { words: "-tls1_3", tls: { maxVersion: "TLSv1.2" }, says: "alert protocol version" },
    { words: "-tls1_1 -cipher DEFAULT@SECLEVEL=0", tls: {}, says: "alert protocol version" },
    {
      words: "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
      tls: { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" },
      says: "alert",
    },
  ])("versions and ciphers: with $words and $tls it says $says", async ({ words, tls, says }) => {
    expect(await report(words, { tls })).toContain(says);
  });

  test.each([
    { words: "-alpn h2,http/1.1", http2: {}, says: "ALPN protocol: h2" },
    { words: "-alpn http/1.1,h2", http2: {}, says: "ALPN protocol: h2" },
    { words: "-alpn http/1.1", http2: {}, says: "ALPN protocol: http/1.1" },
    { words: "-alpn h2,http/1.1", http2: { enabled: false }, says: "ALPN protocol: http/1.1" },
    { words: "-alpn spdy/1", http2: {}, says: "alert no application protocol" },
    { words: "-servername a.test", http2: {}, says: "No ALPN negotiated" },
  ])("ALPN: with $words and $http2 it says $says", async ({ words, http2, says }) => {
    expect(await report(words, { http2 })).toContain(says);
  });
});
