/** What an event carries besides its text: plain values, so that every format can show them. */
export type EventFields = Readonly<Record<string, unknown>>;

/** Where the control process says what happens to it. `event` is a stable word in kebab-case, `says` a sentence for people. */
export interface EventLog {
  info(event: string, says: string, fields?: EventFields): void;
  warn(event: string, says: string, fields?: EventFields): void;
  error(event: string, says: string, fields?: EventFields): void;
}
