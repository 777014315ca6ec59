import type { AccessRecord } from "../core/access-record.ts";
import type { FromWorker } from "../core/worker-protocol.ts";
import { Timer, type TimerWheel } from "../kit/timer-wheel.ts";

/** How long a record waits for others, and how many go at once. */
const lingerMs = 50;
const mostInBatch = 500;
/** Bytes on their way to the control process past which records are dropped, and counted. */
const mostQueued = 4 * 1024 * 1024;

/** Where batches go. */
export type RecordSink = { readonly queued: number; send(message: FromWorker): void };

/** Collects access records and sends them to the control process in batches. */
export class RecordBatch {
  readonly #sink: RecordSink;
  readonly #wheel: TimerWheel;
  readonly #timer = new Timer(() => this.flush());
  #records: AccessRecord[] = [];
  #dropped = 0;

  constructor(sink: RecordSink, wheel: TimerWheel) {
    this.#sink = sink;
    this.#wheel = wheel;
  }

  add(record: AccessRecord): void {
    if (this.#sink.queued > mostQueued) {
      this.#dropped++;
      return;
    }
    this.#records.push(record);
    if (this.#records.length >= mostInBatch) this.flush();
    else if (!this.#timer.isArmed) this.#wheel.arm(this.#timer, lingerMs);
  }

  flush(): void {
    this.#wheel.disarm(this.#timer);
    if (this.#records.length === 0 && this.#dropped === 0) return;
    const records = this.#records;
    const dropped = this.#dropped;
    this.#records = [];
    this.#dropped = 0;
    this.#sink.send({ type: "records", records, dropped });
  }
}
