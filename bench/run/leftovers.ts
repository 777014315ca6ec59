const cleanups = new Set<() => void>();

/** Has `cleanup` called on every way out of this process, unless the result is disposed of before. It must not wait. */
export function onTheWayOut(cleanup: () => void): Disposable {
  cleanups.add(cleanup);
  return { [Symbol.dispose]: () => cleanups.delete(cleanup) };
}

/** From now on nothing is left over when this process ends, also by a signal. */
export function leaveNothingBehind(): void {
  process.on("exit", () => {
    for (const cleanup of cleanups) cleanup();
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
}
