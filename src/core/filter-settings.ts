/** What each filter can be told, after the configuration was checked: one member for each filter of the catalogue. */
export type FilterSettings =
  | RewriteSettings
  | HeadersSettings
  | RedirectSettings
  | RespondSettings
  | OriginSettings
  | IpSettings
  | LimitSettings;

/** Changes the path on its way upstream, in its raw form; the query stays. */
export type RewriteSettings =
  | { readonly type: "rewrite"; readonly prefix: string }
  /** RE2 syntax; `replacement` may name groups as `$1` or `${name}`. */
  | { readonly type: "rewrite"; readonly regex: string; readonly replacement: string };

/** Sets (replacing all), adds and removes headers. Names are tokens; framing and hop-by-hop headers are refused by the checks. */
export type HeadersSettings = {
  readonly type: "headers";
  readonly request: HeaderChanges;
  readonly response: HeaderChanges;
};

/** Fields that are set in place of those of the same name, added to them, and removed. */
export type HeaderChanges = {
  readonly set: readonly NameAndValue[];
  readonly add: readonly NameAndValue[];
  readonly remove: readonly string[];
};

/** One header field. */
export type NameAndValue = { readonly name: string; readonly value: string };

/** Answers with a redirect. Parts that are not given are those of the request. */
export type RedirectSettings = {
  readonly type: "redirect";
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly scheme?: "http" | "https";
  /** Host, with a port if one is wanted. */
  readonly host?: string;
  /** Replaces the whole path; the query stays. */
  readonly path?: string;
};

/** Answers with a fixed response. */
export type RespondSettings = {
  readonly type: "respond";
  readonly status: number;
  readonly body: string;
  readonly headers: readonly NameAndValue[];
};

/**
 * Checks `Origin` before dialling (403). `allow` holds exact origins, origins with a `*.` host, `/regex/`, or `*`;
 * a request whose Origin equals its own host is always allowed. `mode: report` only logs.
 */
export type OriginSettings = {
  readonly type: "origin";
  readonly allow: readonly string[];
  readonly mode: "block" | "report";
};

/** Allows or denies client addresses (403); `deny` wins, and an empty `allow` allows all the others. */
export type IpSettings = {
  readonly type: "ip";
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Ranges whose X-Forwarded-For is believed for this check, instead of the listener's. */
  readonly trustedProxies?: readonly string[];
};

/** Limits open sessions, and new exchanges per second, for the route and for one client address; absent means no limit. */
export type LimitSettings = {
  readonly type: "limit";
  readonly sessions?: number;
  readonly sessionsPerAddress?: number;
  readonly perSecond?: Rate;
  readonly perSecondPerAddress?: Rate;
};

/** A token bucket: `rate` tokens a second, at most `burst` at once. */
export type Rate = { readonly rate: number; readonly burst: number };
