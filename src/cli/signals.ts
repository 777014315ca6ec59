import { closeSync, constants, openSync } from "node:fs";

/** Who hears what signals ask for. */
export type SignalListener = {
  /** SIGHUP: read the configuration again. */
  readonly onReload: () => void;
  /** A signal to end came a second time, so nothing is waited for. */
  readonly onImpatience: () => void;
};

/** Resolves with the first signal that asks for the end: SIGTERM, SIGINT, or SIGHUP because the terminal is gone. */
export function whenAskedToEnd(listener: SignalListener): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  const writesToTerminal = process.stdout.isTTY === true || process.stderr.isTTY === true;
  let isFirst = true;
  const end = (signal: NodeJS.Signals): void => {
    if (!isFirst) listener.onImpatience();
    isFirst = false;
    resolve(signal);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, end);
  process.on("SIGHUP", () => {
    if (writesToTerminal && !hasTerminal()) end("SIGHUP");
    else listener.onReload();
  });
  return promise;
}

/** A terminal that was closed cannot be opened any more by those who ran in it. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", constants.O_RDWR | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
