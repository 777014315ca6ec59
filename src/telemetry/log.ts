import type { AccessRecord } from "../core/access-record.ts";
import type { ControlSettings } from "../core/configuration.ts";
import { accessJson, accessText } from "./access-log.ts";
import type { LineOutput } from "./line-output.ts";
import { escapeControls, type Hue, paint, timeOfDay } from "./line-text.ts";
import { redactedNames } from "./redact.ts";

type Level = "info" | "warn" | "error";
type Fields = Readonly<Record<string, unknown>>;

/** Where lines go. */
export type LogStreams = {
  readonly stdout: LineOutput;
  readonly stderr: LineOutput;
  /** Does a person read standard output? Then `auto` means text. */
  readonly isTerminal: boolean;
  /** Which of the two shows colours. */
  readonly colors: { readonly stdout: boolean; readonly stderr: boolean };
};

const hues: Readonly<Record<Level, Hue>> = { info: "cyan", warn: "yellow", error: "red" };

/**
 * The log of access records and of the gateway's own events. As JSON both go to standard output; as text, records go to
 * standard output and events to standard error.
 */
export class Log {
  readonly #streams: LogStreams;
  #settings: ControlSettings["log"];
  #redacted: ReadonlySet<string>;
  #lostByWorkers = 0;

  constructor(streams: LogStreams, settings: ControlSettings["log"]) {
    this.#streams = streams;
    this.#settings = settings;
    this.#redacted = redactedNames(settings.redactQuery);
  }

  /** From now on with these settings. */
  configure(settings: ControlSettings["log"]): void {
    this.#settings = settings;
    this.#redacted = redactedNames(settings.redactQuery);
  }

  get format(): "json" | "text" {
    if (this.#settings.format !== "auto") return this.#settings.format;
    return this.#streams.isTerminal ? "text" : "json";
  }

  /** Lines lost since the start: by workers, or because nobody read. */
  get dropped(): number {
    return this.#lostByWorkers + this.#streams.stdout.dropped;
  }

  /** Writes access records; `dropped` is how many the worker lost before them. */
  records(records: readonly AccessRecord[], dropped: number): void {
    this.#lostByWorkers += dropped;
    if (!this.#settings.access) return;
    const style = { redacted: this.#redacted, hasColors: this.#streams.colors.stdout };
    const isJson = this.format === "json";
    for (const record of records) {
      this.#streams.stdout.add(isJson ? accessJson(record, this.#redacted) : accessText(record, style));
    }
  }

  info(event: string, says: string, fields: Fields = {}): void {
    this.#event("info", event, says, fields);
  }

  warn(event: string, says: string, fields: Fields = {}): void {
    this.#event("warn", event, says, fields);
  }

  error(event: string, says: string, fields: Fields = {}): void {
    this.#event("error", event, says, fields);
  }

  /** Waits until everything is written, at most `deadlineMs` milliseconds. */
  async flush(deadlineMs: number): Promise<void> {
    await Promise.all([this.#streams.stdout.flush(deadlineMs), this.#streams.stderr.flush(deadlineMs)]);
  }

  #event(level: Level, event: string, says: string, fields: Fields): void {
    const now = Date.now();
    if (this.format === "json") {
      this.#streams.stdout.add(
        JSON.stringify({ time: new Date(now).toISOString(), kind: "event", level, event, message: says, ...fields }),
      );
      return;
    }
    const [time, word] = this.#streams.colors.stderr
      ? [paint(timeOfDay(now), "dim"), paint(level, hues[level])]
      : [timeOfDay(now), level];
    const detail = typeof fields.detail === "string" ? `: ${fields.detail}` : "";
    for (const line of `${says}${detail}`.split("\n"))
      this.#streams.stderr.add(`${time} ${word} ${escapeControls(line)}`);
  }
}
