import { AskError } from "../workers/worker-link.ts";

/** The statuses that the admin API answers with when something is wrong. */
export type AdminStatus = 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 500 | 503 | 504;

/** A request to the admin API that ends in an error; `code` is documented and never changes. */
export class AdminError extends Error {
  override readonly name = "AdminError";
  readonly status: AdminStatus;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: AdminStatus, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** What anything thrown means to whoever asked. */
export function asAdminError(thrown: unknown): AdminError {
  if (thrown instanceof AdminError) return thrown;
  if (!(thrown instanceof AskError)) return new AdminError(500, "internal", "the admin API failed");
  switch (thrown.failure) {
    case "unavailable":
      return new AdminError(503, "worker_unavailable", thrown.message, { "retry-after": "1" });
    case "timeout":
      return new AdminError(504, "worker_timeout", thrown.message);
    case "failed":
      return new AdminError(500, "worker_failed", thrown.message);
  }
}

/** The error as it is sent: `{ "error": { "code", "message" } }`. */
export function errorResponse(error: AdminError): Response {
  const body = { error: { code: error.code, message: error.message } };
  return Response.json(body, { status: error.status, headers: { ...error.headers } });
}
