import type { HeaderList } from "./headers.ts";

/** Whose fault it is. */
export type Side = "client" | "gateway" | "upstream";

/** Whose fault an error is, and the HTTP status that says so. */
type Meaning = { readonly side: Side; readonly status: number };

/** Every code an error can have. Codes are documented and never change. */
const meanings = {
  bad_request: { side: "client", status: 400 },
  bad_target: { side: "client", status: 400 },
  bad_handshake: { side: "client", status: 400 },
  plain_http: { side: "client", status: 400 },
  tls_failed: { side: "client", status: 400 },
  early_data_too_long: { side: "client", status: 400 },
  forbidden_origin: { side: "client", status: 403 },
  forbidden_address: { side: "client", status: 403 },
  no_route: { side: "client", status: 404 },
  method_not_allowed: { side: "client", status: 405 },
  request_timeout: { side: "client", status: 408 },
  target_too_long: { side: "client", status: 414 },
  misdirected_request: { side: "client", status: 421 },
  upgrade_required: { side: "client", status: 426 },
  too_many_requests: { side: "client", status: 429 },
  too_many_sessions: { side: "client", status: 429 },
  head_too_large: { side: "client", status: 431 },
  client_gone: { side: "client", status: 499 },
  internal: { side: "gateway", status: 500 },
  not_implemented: { side: "client", status: 501 },
  version_not_supported: { side: "client", status: 505 },
  overloaded: { side: "gateway", status: 503 },
  draining: { side: "gateway", status: 503 },
  upstream_empty: { side: "upstream", status: 503 },
  upstream_full: { side: "upstream", status: 503 },
  upstream_refused: { side: "upstream", status: 502 },
  upstream_lost: { side: "upstream", status: 502 },
  upstream_invalid: { side: "upstream", status: 502 },
  upstream_tls: { side: "upstream", status: 502 },
  upstream_certificate: { side: "upstream", status: 502 },
  upstream_bad_handshake: { side: "upstream", status: 502 },
  upstream_connect_timeout: { side: "upstream", status: 504 },
  upstream_timeout: { side: "upstream", status: 504 },
} as const satisfies Record<string, Meaning>;

/** The code of an error, as clients, the log and metrics show it. */
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
}

/** What an error may carry beside its code and message. */
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
