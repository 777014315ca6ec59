import type { UpgradeOutcome, UpgradeRequest } from "../controlplane/admin/view.ts";
import type { Workers } from "../controlplane/workers/workers.ts";
import { after } from "../kit/sleep.ts";
import { replaceProcess } from "./replace-process.ts";
import { tryOut, upgradeCommand } from "./upgrade-command.ts";

/** How long the answer to an upgrade has to leave before this process is another one. Milliseconds. */
const answerMs = 200;

/** What is replaced, and what it was started with. */
export type ProgramUpgradeOptions = {
  readonly workers: () => Workers | undefined;
  /** What `causeway run` was called with; without it this process stays when the workers have been replaced. */
  readonly paths: readonly string[] | undefined;
  /** Lets go of everything that the program which takes over needs. */
  readonly leave: (command: readonly string[]) => Promise<void>;
};

/** Replaces the running program by another version of it: the workers first, then this process. */
export class ProgramUpgrade {
  readonly #options: ProgramUpgradeOptions;
  #isUnderWay = false;

  constructor(options: ProgramUpgradeOptions) {
    this.#options = options;
  }

  async run({ binary, lingerMs }: UpgradeRequest): Promise<UpgradeOutcome> {
    const workers = this.#options.workers();
    if (this.#isUnderWay) return { problem: "an upgrade is under way", isBusy: true };
    if (workers?.state !== "serving") return { problem: "the gateway does not serve", isBusy: true };
    const found = upgradeCommand(binary);
    if ("problem" in found) return { ...found, isBusy: false };
    const { command } = found;
    const { paths } = this.#options;
    this.#isUnderWay = true;
    try {
      const problem = paths === undefined ? undefined : await tryOut(command, paths);
      if (problem !== undefined) return { problem, isBusy: false };
      const reports = await workers.upgrade({ command, lingerMs });
      const isReplaced = paths !== undefined && reports.every((report) => !("failed" in report));
      if (isReplaced) after(answerMs, () => void this.#replace(command, paths));
      return { reports, isControlReplaced: isReplaced };
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** Goes on as another program, which finds the workers as after a death of this one. Does not return. */
  async #replace(command: readonly string[], paths: readonly string[]): Promise<void> {
    await this.#options.leave(command);
    try {
      replaceProcess([...command, "run", ...paths]);
    } catch (error) {
      // The workers serve on, and wait for whoever is started next.
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    }
  }
}
