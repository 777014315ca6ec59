import type { Subprocess } from "bun";
import { LineSplitter } from "../kit/line-splitter.ts";
import { within } from "../kit/sleep.ts";

/** What to start: a name for messages, the command, variables to add to (or, undefined, to take from) the environment. */
export type ChildPlan = {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** A line of the child's output. */
  said(stream: "stdout" | "stderr", line: string): void;
};

const LONGEST_LINE = 64 * 1024;

/** A process that the demo has started. Its stdin is a pipe that closes when the demo dies in whatever way. */
export class DemoChild {
  readonly name: string;
  /** What the child wrote first on stdout; undefined if it ended without a word. */
  readonly firstLine: Promise<string | undefined>;
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;

  private constructor(
    name: string,
    process: Subprocess<"pipe", "pipe", "pipe">,
    firstLine: Promise<string | undefined>,
  ) {
    this.name = name;
    this.#process = process;
    this.firstLine = firstLine;
  }

  /** Starts the child in a process group of its own, so that Ctrl-C reaches the demo alone and the order of ending is its choice. */
  static start(plan: ChildPlan): DemoChild {
    const child = Bun.spawn([...plan.command], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      detached: true,
      env: { ...process.env, ...plan.environment },
    });
    const first = Promise.withResolvers<string | undefined>();
    const reading = [
      readLines(child.stdout, (line) => {
        first.resolve(line);
        plan.said("stdout", line);
      }),
      readLines(child.stderr, (line) => plan.said("stderr", line)),
    ];
    Promise.allSettled(reading).then(() => first.resolve(undefined));
    return new DemoChild(plan.name, child, first.promise);
  }

  /** Resolves when the child has ended, to how: "exit code 1", "SIGKILL". */
  async ended(): Promise<string> {
    const code = await this.#process.exited;
    const signal = this.#process.signalCode;
    return signal === null ? `exit code ${code}` : `${signal}`;
  }

  /** Asks the child to end, and after `graceMs` milliseconds, or when it has ended, cuts what is left of it and its own children. */
  async stop(graceMs: number): Promise<void> {
    this.#process.kill("SIGTERM");
    const isOver = await within(
      this.#process.exited.then(() => true),
      graceMs,
      false,
    );
    this.cut();
    if (!isOver) await this.#process.exited;
  }

  /** Ends the child and its own children at once, also those that hang. */
  cut(): void {
    try {
      process.kill(-this.#process.pid, "SIGKILL");
    } catch {
      // Nobody is left in the group.
    }
  }
}

async function readLines(stream: ReadableStream<Uint8Array>, said: (line: string) => void): Promise<void> {
  const lines = new LineSplitter(LONGEST_LINE, said);
  for await (const chunk of stream) lines.push(chunk);
}
