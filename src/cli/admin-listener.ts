import type { AdminServer } from "../controlplane/admin/server.ts";
import type { ControlView } from "../controlplane/admin/view.ts";
import type { ControlSettings } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";
import { explainListenFailure } from "../core/listen-address.ts";
import { formatAddress } from "../core/snapshot.ts";

/** The admin API, which is loaded when it is first settled and then follows its settings. */
export class AdminListener implements AsyncDisposable {
  readonly #view: () => ControlView;
  #server: AdminServer | undefined;

  /** `view` is called once, when the API opens. */
  constructor(view: () => ControlView) {
    this.#view = view;
  }

  /** Where it listens; empty until it does. */
  get url(): string {
    return this.#server?.url ?? "";
  }

  /** Listens as the settings say; where that cannot be, everything stays as it was and the issues say why. */
  async settle(settings: ControlSettings["admin"]): Promise<readonly Issue[]> {
    try {
      if (this.#server === undefined) this.#server = await this.#open(settings);
      else this.#server.configure(settings);
      return [];
    } catch (error) {
      const { says, try: instead } = explainListenFailure(error);
      const at = { source: "configuration", path: "admin.address" };
      const where = formatAddress(settings);
      return [{ severity: "error", at, says: `the admin API cannot listen on ${where}: ${says}`, try: instead }];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  /** The API's libraries take longer to load than all the rest, so they load while the workers start. */
  async #open(settings: ControlSettings["admin"]): Promise<AdminServer> {
    const [{ adminApp }, { AdminServer }] = await Promise.all([
      import("../controlplane/admin/app.ts"),
      import("../controlplane/admin/server.ts"),
    ]);
    return AdminServer.open(adminApp(this.#view()), settings);
  }
}
