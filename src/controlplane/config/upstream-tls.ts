import type { z } from "zod";
import type { UpstreamTls } from "../../core/tls-settings.ts";
import { dnsSettings } from "./dns.ts";
import { readPair, sourceOf, type TlsSources } from "./listener-tls.ts";
import { type Entries, report } from "./sections.ts";
import { upstreamTlsSchema } from "./tls.ts";
import type { Path } from "./tree.ts";
import { speaksTls, type upstreamSchema } from "./upstreams.ts";

type Tls = z.output<typeof upstreamTlsSchema>;

/** Reads the files of all upstreams that speak TLS; what is wrong with one is reported where it is named. */
export function readUpstreamTls(
  upstreams: Entries<z.output<typeof upstreamSchema>>,
  sources: TlsSources,
): ReadonlyMap<string, UpstreamTls> {
  const secured = new Map<string, UpstreamTls>();
  for (const [name, { whole }] of upstreams) {
    if (whole === undefined || !speaksTls(whole)) continue;
    const tls = readTls(whole.tls ?? upstreamTlsSchema.parse({}), ["upstreams", name, "tls"], sources);
    // What is found by a name is verified by that name, though it is an address that is connected to.
    const asked = whole.dns === undefined ? undefined : dnsSettings(whole.dns, true);
    const found = asked?.port === undefined ? {} : { serverName: asked.name };
    if (tls !== undefined) secured.set(name, { ...found, ...tls });
  }
  return secured;
}

function readTls(tls: Tls, path: Path, sources: TlsSources): UpstreamTls | undefined {
  const { draft, ring } = sources;
  const { verify, minVersion, serverName } = tls;
  const ca = tls.ca === undefined ? undefined : ring.authorities(tls.ca, sourceOf(draft, path));
  if (ca !== undefined && "says" in ca) report(draft, [...path, "ca"], ca);
  const isPairFine = checkPair(tls, path, sources);
  const certificate = readOwn(tls, path, sources);
  if (verify === "off") {
    const says = "certificates are not checked, so that anybody can pose as this upstream";
    report(draft, [...path, "verify"], {
      severity: "warning",
      says,
      try: "write full, and name the authority with ca",
    });
  }
  if (!isPairFine || (ca !== undefined && "says" in ca)) return undefined;
  return {
    verify,
    minVersion,
    ...(ca === undefined ? {} : { ca: ca.text }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

function checkPair({ cert, key }: Tls, path: Path, { draft }: TlsSources): boolean {
  if ((cert === undefined) === (key === undefined)) return true;
  const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
  report(draft, [...path, given], { says: `there is no ${missing} to go with it`, try: `add ${missing}` });
  return false;
}

function readOwn({ cert, key, passphrase }: Tls, path: Path, sources: TlsSources): string | undefined {
  return cert === undefined || key === undefined ? undefined : readPair({ cert, key, passphrase }, path, sources)?.id;
}
