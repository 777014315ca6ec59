/** One kind of traffic of the soak. */
export interface Load {
  /** What is counted, in the plural. */
  readonly name: string;
  /** How much of it was done. */
  readonly done: number;
  /** Goes on until the signal aborts, and resolves when nothing of it is under way any more. */
  run(signal: AbortSignal): Promise<void>;
}

/** Where and with what a load works. */
export type LoadOptions = {
  /** The port of the gateway's listener. */
  readonly port: number;
  readonly findings: Findings;
  /** What its random numbers begin with. */
  readonly seed: number;
};

/** How many findings are kept; the rest is only counted. */
const mostKept = 50;

/** Everything that was not as it must be. */
export class Findings {
  readonly texts: string[] = [];
  count = 0;

  add(text: string): void {
    this.count++;
    if (this.texts.length < mostKept) this.texts.push(text);
  }
}

/** Runs `work` again and again, `times` side by side, until the signal aborts; what it throws is a finding. */
export async function repeat(
  work: (place: number) => Promise<void>,
  how: { readonly times: number; readonly signal: AbortSignal; readonly name: string; readonly findings: Findings },
): Promise<void> {
  const one = async (place: number): Promise<void> => {
    while (!how.signal.aborted) {
      try {
        await work(place);
      } catch (error) {
        how.findings.add(`${how.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: how.times }, (_, place) => one(place)));
}
