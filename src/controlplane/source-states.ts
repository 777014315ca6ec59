import type { Source, SourceState } from "../core/configuration.ts";
import type { Issue } from "../core/issue.ts";

/** Who hears of the sources. */
export type SourcesListener = {
  /** One of them says something else, or for the first time, and all have said something. */
  readonly onChange: () => Promise<void>;
  /** One of them can say nothing any more. */
  readonly onLost: (issue: Issue) => void;
};

/** What each source says at present. */
export class SourceStates {
  readonly #sources: readonly Source[];
  readonly #states = new Map<string, SourceState>();

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  /** In the order of the sources; those that have not said anything are left out. */
  get all(): readonly SourceState[] {
    return this.#sources.flatMap(({ name }) => this.#states.get(name) ?? []);
  }

  /** Watches them until `signal` aborts. A source goes on once the listener is done with what it said. */
  watch(signal: AbortSignal, listener: SourcesListener): void {
    for (const source of this.#sources) void this.#watch(source, signal, listener);
  }

  async #watch(source: Source, signal: AbortSignal, { onChange, onLost }: SourcesListener): Promise<void> {
    try {
      for await (const state of source.watch(signal)) {
        this.#states.set(source.name, state);
        if (this.#states.size === this.#sources.length) await onChange();
      }
    } catch (error) {
      if (signal.aborted) return;
      const says = `changes are no longer seen: ${error instanceof Error ? error.message : String(error)}`;
      onLost({ severity: "error", at: { source: source.name, path: "" }, says });
    }
  }
}
