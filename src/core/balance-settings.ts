/** How one of several endpoints is chosen. */
export type BalanceSettings = "least-sessions" | "round-robin" | "random" | "peak-ewma" | HashSettings;

/** The same key leads to the same endpoint, as long as that is offered. A request without a key is balanced by `least-sessions`. */
export type HashSettings = { readonly hash: KeySource; readonly table: "ring" | "maglev" };

/** What of a request is the key. Names of headers are in lower case. */
export type KeySource =
  | { readonly from: "client-address" | "path" }
  | NamedField
  /** A claim of the JWT that stands there; it is read and not verified. */
  | { readonly from: "claim"; readonly name: string; readonly token: NamedField };

/** A field of a request that holds text. */
export type NamedField = { readonly from: "header" | "cookie" | "query"; readonly name: string };

/** How a client finds the endpoint again that it had before; without a trace of one it is balanced as usual. */
export type StickySettings =
  /** By a signed cookie that the gateway sets. */
  | { readonly by: "cookie"; readonly cookie: StickyCookie }
  /** By something that the client brings anyway: the same key leads to the same endpoint. */
  | { readonly by: "key"; readonly key: KeySource };

/** The cookie that says which endpoint a client had. */
export type StickyCookie = {
  readonly name: string;
  /** How long the client keeps it (ms); 0: until it is closed. */
  readonly ttlMs: number;
  readonly path: string;
  readonly sameSite: "lax" | "strict" | "none";
  /** `auto`: where the client came by TLS. */
  readonly secure: "auto" | boolean;
};

/** How an endpoint that is new or back gets its full share. */
export type SlowStartSettings = {
  readonly ms: number;
  /** Percent of its weight that it begins with. */
  readonly floor: number;
};

/** When open sessions are closed so that their clients come back to endpoints that have fewer. */
export type RebalanceSettings = {
  /** Percent above its share that an endpoint may have. */
  readonly tolerance: number;
  /** Sessions that each worker closes in a second at most. */
  readonly perSecond: number;
  /** True if it is only counted how many are too many. */
  readonly isDryRun: boolean;
};

/** Which zone is closest, and from which share of usable endpoints there (percent) nothing goes elsewhere. */
export type ZoneSettings = { readonly prefer: string; readonly spillBelow: number };
