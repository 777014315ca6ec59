import { z } from "zod";
import { parseHostName } from "./addresses.ts";
import { list, map, parsed, text, word } from "./fields.ts";
import { orderedNames } from "./ordered-names.ts";

const file = (what: string) => text(`write the path of ${what}`).min(1, { error: `write the path of ${what}` });

const passphrase = z
  .union(
    [
      z.string().min(1, { error: "write the passphrase, or { env: NAME } to take it from the environment" }),
      map({ env: text("write the name of an environment variable").describe("Name of the environment variable.") }),
    ],
    { error: "write the passphrase, or { env: NAME } to take it from the environment" },
  )
  .optional();

/** A certificate with its key, each in a file; or the names of one that is ordered. */
export const keyPairSchema = map(
  {
    cert: file("a PEM file")
      .optional()
      .describe("The certificate and those between it and its authority, the leaf first. Needs `key`."),
    key: file("a PEM file").optional().describe("Its private key."),
    passphrase: passphrase.describe(
      "For a key that is encrypted. A map with the key below takes it from the environment.",
    ),
    acme: orderedNames
      .optional()
      .describe("Instead of files: the host names of a certificate that is ordered, and renewed, as `acme` says."),
  },
  "a map such as { cert: tls/site.pem, key: tls/site.key }",
);

const tlsVersion = () => word("TLSv1.2", "TLSv1.3");

const clientCertificates = map(
  {
    mode: word("none", "optional", "required")
      .prefault("none")
      .describe(
        "`optional`: a client may show a certificate, and is refused if it cannot be verified. `required`: it has to show one.",
      ),
    ca: file("a PEM file")
      .optional()
      .describe("The authorities whose certificates are accepted. Needed unless `mode` is `none`."),
    crl: file("a PEM file").optional().describe("Lists of certificates that the authorities have revoked."),
  },
  "a map such as { mode: required, ca: tls/clients.pem }",
);

/** `tls` of a listener. Paths of files are relative to the file that they stand in. */
export const listenerTlsSchema = map(
  {
    certificates: list(keyPairSchema, "[ { cert: tls/site.pem, key: tls/site.key } ]")
      .min(1, { error: "write at least one, such as [ { cert: tls/site.pem, key: tls/site.key } ]" })
      .describe(
        "PEM files, relative to this file. A client gets the one that has the name it asks for, exactly or by a wildcard, " +
          "and the first one if it asks for none. RSA and ECDSA may stand side by side for one name.",
      ),
    unknownNames: word("default", "refuse")
      .prefault("default")
      .describe("What a client gets that asks for a name that no certificate has: the first one, or no connection."),
    minVersion: tlsVersion().prefault("TLSv1.2").describe("The oldest version of TLS that is accepted."),
    maxVersion: tlsVersion().prefault("TLSv1.3").describe("The newest one."),
    ciphers: text("write ciphers as OpenSSL lists them, such as ECDHE+AESGCM")
      .prefault("")
      .describe("Ciphers for TLS 1.2, as OpenSSL lists them; empty for the usual ones. Those of TLS 1.3 are fixed."),
    clientCertificates: clientCertificates.prefault({}).describe("Whether clients have to show a certificate."),
  },
  "a map such as { certificates: [ { cert: tls/site.pem, key: tls/site.key } ] }",
);

/** `tls` of an upstream. Paths of files are relative to the file that they stand in. */
export const upstreamTlsSchema = map(
  {
    ca: file("a PEM file")
      .optional()
      .describe("The authorities that are believed. Those that browsers believe unless given."),
    serverName: parsed({
      write: "write a host name",
      title: "host",
      parse: parseHostName,
    })
      .optional()
      .describe("The name that is asked for and that the certificate has to have; that of the endpoint unless given."),
    cert: file("a PEM file")
      .optional()
      .describe("Certificate that is shown to endpoints that ask for one. Needs `key`."),
    key: file("a PEM file").optional().describe("Its private key."),
    passphrase: passphrase.describe(
      "For a key that is encrypted. A map with the key below takes it from the environment.",
    ),
    verify: word("full", "ca", "off")
      .prefault("full")
      .describe(
        "`full`: authority and name. `ca`: the authority alone. `off`: nothing, so that anybody can pose as the endpoint.",
      ),
    minVersion: tlsVersion().prefault("TLSv1.2").describe("The oldest version of TLS that is accepted."),
  },
  "a map such as { ca: tls/internal.pem }",
);
