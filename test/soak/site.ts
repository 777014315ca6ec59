import type { FaultMatrix } from "../support/fault-matrix.ts";

/** Where the soak's traffic goes; ports on 127.0.0.1. */
export type Site = {
  readonly application: number;
  readonly refusing: number;
  readonly fuzz: number;
  readonly matrix: FaultMatrix;
};

/** Dead peers, half heads and silent backends are given up soon, so that what has to be waited for is short. */
const hasty = {
  timeouts: { handshake: "1s", request: "1s", close: "500ms" },
  keepalive: { ping: "300ms", misses: 2 },
};

const hastyListener = {
  address: "127.0.0.1:0",
  timeouts: { head: "1s", keepAlive: "1s" },
  limits: { pending: 100_000, pendingPerAddress: 100_000 },
};

/** The configuration of the soak of upgrades: one listener for those whose bytes are compared, and one for those who do wrong. */
export function upgradeSiteText(site: Pick<Site, "application" | "matrix"> & { readonly workers: number }): string {
  const { application, matrix, workers } = site;
  const rough = Object.entries(matrix.upstreams);
  const routeTo = (name: string): object => ({
    match: { path: `/${name}` },
    filters: [{ rewrite: { prefix: "/" } }],
    to: name,
    ...hasty,
  });
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers,
    log: { format: "json", access: false },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0" }, faults: hastyListener },
    upstreams: {
      echo: { endpoints: [`127.0.0.1:${application}`] },
      ...Object.fromEntries(rough.map(([name, endpoints]) => [name, { endpoints }])),
    },
    routes: { all: { to: "echo" }, ...Object.fromEntries(rough.map(([name]) => [name, routeTo(name)])) },
  });
}

/**
 * The configuration of the soak: a listener for those who behave, and three for those who do not. Two turns of it differ in what no open
 * session may feel.
 */
export function siteText({ application, refusing, fuzz, matrix }: Site, turn: number): string {
  const pool = { idle: 32, idleTimeout: "2s" };
  const upstream = (port: number) => ({ endpoints: [`127.0.0.1:${port}`], pool });
  const route = (path: string, to: string, more: object = {}) => ({
    match: { path },
    filters: [{ rewrite: { prefix: "/" } }],
    to,
    ...more,
  });
  const plain = ["echo", "closed", "web"].map((name) => [name, route(`/${name}`, "site")]);
  const rough = Object.keys(matrix.upstreams).map((name) => [name, route(`/${name}`, name, hasty)]);
  const turning = {
    timeouts: { idle: `${300 + turn}s` },
    filters: [{ headers: { request: { set: { "X-Turn": String(turn) } } } }, { rewrite: { prefix: "/" } }],
  };
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: {
      web: { address: "127.0.0.1:0", limits: { pendingPerAddress: 100_000 } },
      faults: hastyListener,
      fuzz: hastyListener,
      crowd: {
        address: "127.0.0.1:0",
        timeouts: { head: "8s" },
        limits: { pending: 100_000, pendingPerAddress: 100_000 },
      },
    },
    upstreams: {
      site: upstream(application),
      refusing: upstream(refusing),
      fuzz: upstream(fuzz),
      ...Object.fromEntries(Object.entries(matrix.upstreams).map(([name, endpoints]) => [name, { endpoints, pool }])),
    },
    routes: {
      ...Object.fromEntries([...plain, ...rough]),
      refused: route("/refused", "refusing"),
      fuzz: route("/fuzz", "fuzz", hasty),
      turning: route(`/turning/${turn}`, "site", turning),
    },
  });
}
