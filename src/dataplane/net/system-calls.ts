import { type FFIFunction, read } from "bun:ffi";
import { getSystemErrorName } from "node:util";
import { openLibc } from "./libc.ts";

/** What sockets and epoll need of the C library (man 2, by these names). Sizes that come back are those of one call, and fit 32 bits. */
const symbols = {
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  epoll_wait: { args: ["i32", "ptr", "i32", "i32"], returns: "i32" },
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  inet_ntop: { args: ["i32", "ptr", "ptr", "u32"], returns: "ptr" },
  inet_pton: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  recv: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  send: { args: ["i32", "ptr", "usize", "i32"], returns: "i32" },
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const satisfies Record<string, FFIFunction>;

function open() {
  const library = openLibc(symbols);
  const errnoAt = library.__errno_location();
  if (errnoAt === null) throw new Error("the C library has no errno");
  return { ...library, errno: () => read.i32(errnoAt, 0) };
}

/** The functions, and `errno`, which is read right behind the call that failed. */
export type SystemCalls = ReturnType<typeof open>;

let opened: SystemCalls | undefined;

/** Throws where there is no Linux, or no C library that is known. */
export function systemCalls(): SystemCalls {
  opened ??= open();
  return opened;
}

// Linux: asm-generic/errno-base.h, errno.h.
/** What `errno` says, by the names of man 3 errno. */
export const errors = {
  EAGAIN: 11,
  ENOMEM: 12,
  ENFILE: 23,
  EMFILE: 24,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EINPROGRESS: 115,
} as const;

/** A failed call as an Error with the `code`, `errno` and `syscall` that Node.js gives to such errors. */
export function callFailed(syscall: string, errno: number): Error {
  const code = errno === 0 ? "UNKNOWN" : getSystemErrorName(-errno);
  return Object.assign(new Error(`${syscall}: ${code}`), { code, errno: -errno, syscall });
}

/**
 * Memory that the kernel writes to, or reads from. An array of its own ArrayBuffer never moves; a small one without could, once
 * JavaScript is compiled that uses it, and its address would be somebody else's.
 */
export function fixedMemory(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes);
}
