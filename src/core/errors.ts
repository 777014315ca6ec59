import type { HeaderList } from "./headers.ts";

/** Whose fault it is. */
export type Side = "client" | "gateway" | "upstream";

/** What an error means on the wire: the HTTP status before the 101, the Close code after it. */
type Meaning = { readonly side: Side; readonly status: number; readonly closeCode: number };

/** Every code an error can have. Codes are documented and never change. */
const meanings = {
  bad_request: { side: "client", status: 400, closeCode: 1002 },
  bad_target: { side: "client", status: 400, closeCode: 1002 },
  bad_handshake: { side: "client", status: 400, closeCode: 1002 },
  plain_http: { side: "client", status: 400, closeCode: 1002 },
  tls_failed: { side: "client", status: 400, closeCode: 1002 },
  early_data_too_long: { side: "client", status: 400, closeCode: 1009 },
  forbidden_origin: { side: "client", status: 403, closeCode: 1008 },
  forbidden_address: { side: "client", status: 403, closeCode: 1008 },
  no_route: { side: "client", status: 404, closeCode: 1008 },
  method_not_allowed: { side: "client", status: 405, closeCode: 1008 },
  request_timeout: { side: "client", status: 408, closeCode: 1008 },
  content_too_large: { side: "client", status: 413, closeCode: 1009 },
  target_too_long: { side: "client", status: 414, closeCode: 1009 },
  expectation_failed: { side: "client", status: 417, closeCode: 1008 },
  misdirected_request: { side: "client", status: 421, closeCode: 1008 },
  upgrade_required: { side: "client", status: 426, closeCode: 1002 },
  too_many_requests: { side: "client", status: 429, closeCode: 1013 },
  too_many_sessions: { side: "client", status: 429, closeCode: 1013 },
  head_too_large: { side: "client", status: 431, closeCode: 1009 },
  client_gone: { side: "client", status: 499, closeCode: 1001 },
  internal: { side: "gateway", status: 500, closeCode: 1011 },
  not_implemented: { side: "client", status: 501, closeCode: 1003 },
  version_not_supported: { side: "client", status: 505, closeCode: 1002 },
  overloaded: { side: "gateway", status: 503, closeCode: 1013 },
  draining: { side: "gateway", status: 503, closeCode: 1012 },
  upstream_empty: { side: "upstream", status: 503, closeCode: 1013 },
  upstream_full: { side: "upstream", status: 503, closeCode: 1013 },
  upstream_refused: { side: "upstream", status: 502, closeCode: 1014 },
  upstream_lost: { side: "upstream", status: 502, closeCode: 1014 },
  upstream_invalid: { side: "upstream", status: 502, closeCode: 1014 },
  upstream_tls: { side: "upstream", status: 502, closeCode: 1014 },
  upstream_certificate: { side: "upstream", status: 502, closeCode: 1014 },
  upstream_bad_handshake: { side: "upstream", status: 502, closeCode: 1014 },
  upstream_connect_timeout: { side: "upstream", status: 504, closeCode: 1014 },
  upstream_timeout: { side: "upstream", status: 504, closeCode: 1014 },
} as const satisfies Record<string, Meaning>;

export type ErrorCode = keyof typeof meanings;

/** A failure that somebody outside is told about. Broken invariants of ours are plain `Error`s and become `internal`. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  /** May the same exchange be tried on another endpoint? Only where nothing of it was sent. */
  readonly canRetry: boolean;
  /** Fields for the answer, such as Retry-After. */
  readonly headers: HeaderList | undefined;

  constructor(code: ErrorCode, message: string, more: ErrorDetails = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.canRetry = more.canRetry ?? false;
    this.headers = more.headers;
  }

  get side(): Side {
    return meanings[this.code].side;
  }

  get status(): number {
    return meanings[this.code].status;
  }

  get closeCode(): number {
    return meanings[this.code].closeCode;
  }
}

export type ErrorDetails = {
  readonly canRetry?: boolean;
  readonly headers?: HeaderList;
  readonly cause?: unknown;
};

/** What anything thrown means to the outside: a GatewayError stays, everything else is `internal`. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError("internal", "the gateway failed", { cause: thrown });
}

/** All codes with their meaning, for the documentation. */
export function errorTable(): readonly (Meaning & { readonly code: ErrorCode })[] {
  return Object.entries(meanings).map(([code, meaning]) => ({ code: code as ErrorCode, ...meaning }));
}
