import type { Source, SourceState } from "../../src/core/configuration.ts";

/** A source whose states the test gives; each text is what a file would hold. */
export class PushedSource implements Source {
  readonly name = "pushed";
  readonly #states: SourceState[] = [];
  #wake: (() => void) | undefined;

  push(text: string): void {
    this.pushState({ texts: [{ source: "a.yaml", text }], issues: [] });
  }

  pushState(state: SourceState): void {
    this.#states.push(state);
    this.#wake?.();
  }

  async *watch(signal: AbortSignal): AsyncIterable<SourceState> {
    while (!signal.aborted) {
      const state = this.#states.shift();
      if (state !== undefined) yield state;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
  }
}
