import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { openSocketPair } from "./socket-pair.ts";
import type { SystemCalls } from "./system-calls.ts";

/**
 * The epoll instance of Bun's event loop: the one that watches a socket which was given to Bun a moment ago. Other threads of Bun may have
 * theirs. Throws where /proc does not tell.
 */
export function findBunsEpoll(calls: SystemCalls): number {
  const [near, far] = openSocketPair();
  const how = { fd: near, socket: { data() {} } };
  // Bun's types do not know `fd`, which its own node:net uses. What comes of it is told at once.
  void Bun.connect(how as unknown as Bun.TCPSocketConnectOptions<undefined>).then(
    (socket) => socket.end(),
    () => {},
  );
  try {
    const found = readdirSync("/proc/self/fd")
      .map(Number)
      .find((descriptor) => watches(descriptor, near));
    if (found === undefined) throw new Error("the epoll instance of Bun's event loop was not found");
    return found;
  } finally {
    calls.close(far);
  }
}

function watches(descriptor: number, watched: number): boolean {
  try {
    if (readlinkSync(`/proc/self/fd/${descriptor}`) !== "anon_inode:[eventpoll]") return false;
    return new RegExp(`^tfd: +${watched} `, "m").test(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"));
  } catch {
    // It was closed meanwhile, by another thread.
    return false;
  }
}
