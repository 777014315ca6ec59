/** Waits until `condition` holds, and throws when it does not within `deadlineMs` milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 4000): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endsAt) throw new Error(`it did not happen within ${deadlineMs} ms: ${condition}`);
    await Bun.sleep(2);
  }
}
