import { FFIType, ptr } from "bun:ffi";
import { openLibc } from "./libc.ts";

// Linux: sys/socket.h.
const unixDomain = 1;
const streamCloseOnExec = 1 | 0o2000000;

const symbols = {
  socketpair: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
} as const;

/** The descriptors of the two ends of a connection that begins and ends in this process (socketpair(2)). Throws if there are none left. */
export function openSocketPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  if (openLibc(symbols).socketpair(unixDomain, streamCloseOnExec, 0, ptr(pair)) !== 0)
    throw new Error("a pair of sockets could not be opened");
  return [pair[0] as number, pair[1] as number];
}
