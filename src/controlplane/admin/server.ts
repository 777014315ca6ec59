import { isIP } from "node:net";
import type { ControlSettings } from "../../core/configuration.ts";
import { formatAddress } from "../../core/snapshot.ts";
import { asAdminError, errorResponse } from "./admin-error.ts";
import { guard } from "./guard.ts";
import { isLoopbackAddress } from "./loopback.ts";

type Settings = ControlSettings["admin"];

/** The listener of the admin API: plain HTTP on an address of its own, guarded. */
export class AdminServer implements AsyncDisposable {
  readonly #answer: (request: Request) => Promise<Response>;
  #settings: Settings;
  #server: Bun.Server<undefined>;

  private constructor(answer: (request: Request) => Promise<Response>, settings: Settings) {
    this.#answer = answer;
    this.#settings = settings;
    this.#server = this.#bind(settings);
  }

  /** Binds the address of `settings`; throws if it is taken, or if others could reach it without a token. */
  static open(answer: (request: Request) => Promise<Response>, settings: Settings): AdminServer {
    return new AdminServer(answer, settings);
  }

  /** Where it listens: `http://127.0.0.1:9901`. */
  get url(): string {
    return `http://${formatAddress({ host: this.#settings.host, port: this.#server.port ?? 0 })}`;
  }

  /** Works by other settings from now on; on a new address it listens before the old one goes. Throws like `open`. */
  configure(settings: Settings): void {
    const isSameAddress = settings.host === this.#settings.host && settings.port === this.#settings.port;
    if (!isSameAddress) {
      const old = this.#server;
      this.#server = this.#bind(settings);
      void old.stop(false);
    } else if (settings.token === undefined) refuseOpenAddress(settings);
    this.#settings = settings;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  #bind(settings: Settings): Bun.Server<undefined> {
    refuseOpenAddress(settings);
    return Bun.serve({
      hostname: settings.host,
      port: settings.port,
      development: false,
      // Bun shares the port where `development` is false, and a second gateway would take half of the requests unseen.
      reusePort: false,
      idleTimeout: 30,
      // A whole configuration is the longest.
      maxRequestBodySize: 16 * 1024 * 1024,
      fetch: (request, server) => this.#handle(request, server.requestIP(request)?.address),
      error: (error) => errorResponse(asAdminError(error)),
    });
  }

  async #handle(request: Request, remote: string | undefined): Promise<Response> {
    let response: Response;
    try {
      guard(request, remote, { token: this.#settings.token });
      response = await this.#answer(request);
    } catch (error) {
      response = errorResponse(asAdminError(error));
    }
    response.headers.set("cache-control", "no-store");
    response.headers.set("x-content-type-options", "nosniff");
    return response;
  }
}

function refuseOpenAddress({ host, token }: Settings): void {
  const isLocal = host === "localhost" || (isIP(host) !== 0 && isLoopbackAddress(host));
  if (token === undefined && !isLocal)
    throw new Error(`${host} can be reached from outside, so admin.token must be set`);
}
