import { dirname, isAbsolute, join } from "node:path";
import { z } from "zod";
import type { AcmeCertificate, AcmeSettings } from "../../core/acme-settings.ts";
import { Misread, map, parsed, text, word } from "./fields.ts";
import { sourceOf, type TlsSources } from "./listener-tls.ts";
import type { listenerSchema } from "./listeners.ts";
import { type Draft, type Entries, report } from "./sections.ts";

const secretHint = "write the key as the authority gives it (base64url), or { env: NAME }";

const eab = map(
  {
    keyId: text("write the key identifier that the authority has given you")
      .min(1, {
        error: "write the key identifier",
      })
      .describe("What the authority calls it."),
    hmacKey: z
      .union(
        [
          z.string().regex(/^[\w-]{8,}=*$/, { error: secretHint }),
          map({ env: text("write the name of an environment variable").describe("Name of the environment variable.") }),
        ],
        { error: secretHint },
      )
      .describe("Its key, in base64url. A map with the key below takes it from the environment."),
  },
  "a map such as { keyId: abc, hmacKey: { env: ACME_HMAC_KEY } }",
);

/** `acme`: where certificates are ordered that no file is named for. */
export const acmeSchema = map(
  {
    directory: parsed({
      write: "write the URL of an ACME directory, such as https://acme-v02.api.letsencrypt.org/directory",
      title: "URL",
      parse: parseDirectory,
    })
      .prefault("https://acme-v02.api.letsencrypt.org/directory")
      .describe("URL of the authority's directory (RFC 8555). Let's Encrypt unless given."),
    agreeToTerms: z
      .literal(true, { error: "write true once you have read the authority's terms of service and agree to them" })
      .describe("That you agree to the authority's terms of service. Nothing is ordered otherwise."),
    email: text("write a mail address")
      .regex(/^[^\s@,?]+@[^\s@,?]+$/, { error: "write a mail address such as ops@example.com" })
      .optional()
      .describe("Where the authority sends word, of certificates that are about to expire for example."),
    folder: text("write the path of a folder")
      .min(1, { error: "write the path of a folder" })
      .prefault("acme")
      .describe(
        "Where the account's key and the certificates are kept, relative to this file. It is made if it is not there.",
      ),
    challenge: word("http-01", "tls-alpn-01")
      .prefault("http-01")
      .describe(
        "How the authority sees that a name is yours. `http-01`: it asks port 80, so a listener in the clear has to be there. " +
          "`tls-alpn-01`: it begins a TLS handshake at port 443.",
      ),
    ca: text("write the path of a PEM file")
      .min(1, { error: "write the path of a PEM file" })
      .optional()
      .describe(
        "The authorities that are believed when the directory is asked. Those that browsers believe unless given.",
      ),
    eab: eab
      .optional()
      .describe("Binds the account to one that you have with the authority already, if it asks for that."),
  },
  "a map such as { agreeToTerms: true, email: ops@example.com }",
);

function parseDirectory(url: string): string | Misread {
  const parsedUrl = URL.parse(url);
  if (parsedUrl === null) return new Misread(`"${url}" is no URL`, "write one that begins with https://");
  if (parsedUrl.protocol === "https:") return url;
  return new Misread("ACME is spoken over TLS alone", "write a URL that begins with https://");
}

/** What is known of `acme` while the listeners are read. */
export type AcmeDraft = {
  readonly settings: Omit<AcmeSettings, "certificates">;
  /** The same folder, relative as it was written. */
  readonly shownFolder: string;
  /** Gets every certificate that a listener wants, by its file. */
  readonly wanted: Map<string, AcmeCertificate>;
};

/** Reads the section; what is wrong with it is reported. */
export function readAcme(
  section: z.output<typeof acmeSchema> | undefined,
  { draft, ring, environment }: Pick<TlsSources, "draft" | "ring" | "environment">,
): AcmeDraft | undefined {
  if (section === undefined) return undefined;
  const source = sourceOf(draft, ["acme"]);
  const ca = section.ca === undefined ? undefined : ring.authorities(section.ca, source);
  if (ca !== undefined && "says" in ca) {
    report(draft, ["acme", "ca"], ca);
    return undefined;
  }
  const bound = section.eab === undefined ? undefined : readEab(section.eab, draft, environment);
  if (bound === "missing") return undefined;
  const { directory, email, challenge } = section;
  const shownFolder = join(section.folder, folderName(directory));
  const settings = {
    directory,
    challenge,
    folder: isAbsolute(shownFolder) ? shownFolder : join(dirname(source), shownFolder),
    ...(ca === undefined ? {} : { ca: ca.text }),
    ...(email === undefined ? {} : { email }),
    ...(bound === undefined ? {} : { eab: bound }),
  };
  return { settings, shownFolder, wanted: new Map() };
}

function readEab(
  { keyId, hmacKey }: z.output<typeof eab>,
  draft: Draft,
  environment: TlsSources["environment"],
): { readonly keyId: string; readonly hmacKey: string } | "missing" {
  const secret = typeof hmacKey === "object" ? environment[hmacKey.env] : hmacKey;
  if (secret) return { keyId, hmacKey: secret };
  const says = `the environment variable ${typeof hmacKey === "object" ? hmacKey.env : ""} is not set`;
  report(draft, ["acme", "eab", "hmacKey"], { says, try: "set it" });
  return "missing";
}

/** Each directory has a folder of its own: what a test authority has issued is nothing for another one. */
function folderName(directory: string): string {
  const { host, pathname } = new URL(directory);
  return `${host}${pathname}`.replace(/[^A-Za-z0-9.]+/g, "-").replace(/-$/, "");
}

/** Checks what neither the section nor the listeners know by themselves, and gives what is to be ordered. */
export function settleAcme(
  draft: Draft,
  acme: AcmeDraft | undefined,
  listeners: Entries<z.output<typeof listenerSchema>>,
): AcmeSettings | undefined {
  if (acme === undefined) return undefined;
  const { settings, wanted } = acme;
  if (wanted.size === 0 && !draft.findings.holdsWrong(["listeners"])) {
    const says = "no listener has a certificate from here";
    report(draft, ["acme"], { severity: "warning", says, try: "write { acme: [ example.com ] } in its certificates" });
  }
  const isPlainThere = [...listeners.values()].some(({ parts }) => parts.tls === undefined);
  if (settings.challenge === "http-01" && wanted.size > 0 && !isPlainThere) {
    const says = "http-01 is asked for in the clear, and no listener speaks that";
    const hint = 'add one such as { address: ":80", redirectToHttps: true }, or write challenge: tls-alpn-01';
    report(draft, ["acme", "challenge"], { severity: "warning", says, try: hint });
  }
  return { ...settings, certificates: [...wanted.values()] };
}
