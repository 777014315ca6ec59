import type { Problem } from "../../src/controlplane/config/findings.ts";
import { readConfiguration } from "../../src/controlplane/config/read.ts";
import { readReferencedFile } from "../../src/controlplane/config/referenced-file.ts";
import type { AccessRecord, HttpRecord } from "../../src/core/access-record.ts";
import type { Snapshot } from "../../src/core/snapshot.ts";
import { Gateway } from "../../src/dataplane/gateway.ts";
import type { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { closeBridge, isOverHttp2, openBridge } from "./http2-bridge.ts";
import { RawClient } from "./raw-client.ts";
import { isSecurePort, markSecure, testAuthority, testSite } from "./test-certificates.ts";
import { until } from "./until.ts";

/** A gateway in our own configuration's words, as plain objects; what is left out is plain. */
export type FixtureSettings = {
  /** Where the upstream `app` leads: ports on 127.0.0.1. */
  readonly to?: readonly { readonly port: number }[];
  /** Members of the listener, of the upstream `app`, and of the only route. */
  readonly listener?: object;
  readonly upstream?: object;
  readonly route?: object;
  /** Instead of the only route, several by name; those without `to` and without filters lead to `app`. */
  readonly routes?: Readonly<Record<string, object>>;
  /** More upstreams by name. */
  readonly upstreams?: Readonly<Record<string, object>>;
  readonly wheel?: TimerWheel;
  /** True if the listener speaks TLS with the certificate of the tests, as all do under CAUSEWAY_TEST_OVER=wss. */
  readonly isSecure?: boolean;
  /** True if a test is about its very connections: under CAUSEWAY_TEST_OVER=h2 nothing stands between it and the gateway. */
  readonly isDirect?: boolean;
};

/** The same tests can be run over TLS. */
const isAlwaysSecure = process.env.CAUSEWAY_TEST_OVER === "wss" || process.env.CAUSEWAY_TEST_OVER === "h2";

/** A data plane in this process, configured as by a file, on a port of the kernel's choice. */
export class GatewayFixture implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly records: AccessRecord[] = [];
  readonly #mark: Disposable | undefined;

  private constructor(settings: FixtureSettings) {
    this.gateway = new Gateway({
      onRecord: (record) => this.records.push(record),
      ...(settings.wheel === undefined ? {} : { wheel: settings.wheel }),
    });
    const [issue] = this.gateway.apply(snapshotOf(settings));
    if (issue !== undefined) throw new Error(issue.says);
    const isSecure = speaksTls(settings);
    this.#mark = isSecure ? markSecure(this.port) : undefined;
    if (isOverHttp2 && settings.isDirect !== true && !isAbout("h2c", settings)) openBridge(this.port, { isSecure });
  }

  static open(settings: FixtureSettings): GatewayFixture {
    return new GatewayFixture(settings);
  }

  get port(): number {
    return this.gateway.listeners[0]?.port ?? 0;
  }

  connect(how: { keep?: boolean } = {}): Promise<RawClient> {
    return RawClient.open(this.port, how);
  }

  /** Writes bytes on a new connection, and waits for the end of it. */
  async ask(bytes: string | Uint8Array): Promise<RawClient> {
    const client = await this.connect();
    client.write(bytes);
    await client.untilEnd();
    return client;
  }

  /** The record of the newest HTTP exchange, once there are that many. */
  async record(count = 1): Promise<HttpRecord> {
    const https = () => this.records.filter((record) => record.kind === "http");
    await until(() => https().length >= count);
    return https().at(-1) as HttpRecord;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mark?.[Symbol.dispose]();
    await closeBridge(this.port);
    await this.gateway[Symbol.asyncDispose]();
  }
}

/** A snapshot as the control process would make it of a file that says this. Throws what is wrong with it. */
export function snapshotOf(settings: FixtureSettings): Snapshot {
  const endpoints = (settings.to ?? []).map(({ port }) =>
    isSecurePort(port) ? `wss://127.0.0.1:${port}` : `127.0.0.1:${port}`,
  );
  const trust = endpoints.some((endpoint) => endpoint.startsWith("wss:")) ? { tls: { ca: "authority.pem" } } : {};
  const routes = settings.routes ?? { all: settings.route ?? {} };
  const certificates = [{ cert: "site.pem", key: "site.key" }];
  const tls = speaksTls(settings) ? { tls: { certificates } } : { h2c: isOverHttp2 };
  const text = JSON.stringify({
    cookieKey: { file: "cookie.key" },
    listeners: { web: { address: "127.0.0.1:0", ...tls, ...settings.listener } },
    upstreams: {
      app: { endpoints: endpoints.length === 0 ? ["127.0.0.1:1"] : endpoints, ...trust, ...settings.upstream },
      ...settings.upstreams,
    },
    routes: Object.fromEntries(Object.entries(routes).map(([name, route]) => [name, withTarget(route)])),
  });
  const { configuration, issues } = readConfiguration([{ source: "/test/config.yaml", text }], {}, testFile);
  if (configuration === undefined) throw new Error(issues.map((issue) => `${issue.at.path}: ${issue.says}`).join("\n"));
  return { revision: 1, ...configuration.model };
}

/** Tests of what is there in the clear only stay there, whatever the others run over. */
function speaksTls(settings: FixtureSettings): boolean {
  return settings.isSecure ?? (isAlwaysSecure && !isAbout("h2c", settings) && !isAbout("redirectToHttps", settings));
}

function isAbout(key: string, { listener = {} }: FixtureSettings): boolean {
  return key in listener;
}

/** The files that a configuration of the tests can name beside real ones. */
function testFile(path: string): string | Problem {
  if (path === "/test/site.pem") return testSite().cert;
  if (path === "/test/site.key") return testSite().key;
  if (path === "/test/cookie.key") return "a secret of the tests";
  return path === "/test/authority.pem" ? testAuthority().cert : readReferencedFile(path);
}

/** A route whose filter answers leads nowhere. */
function withTarget(route: object): object {
  return "to" in route || /"(?:respond|redirect)":/.test(JSON.stringify(route)) ? route : { to: "app", ...route };
}
