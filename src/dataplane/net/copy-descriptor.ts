import { FFIType } from "bun:ffi";
import { openLibc } from "./libc.ts";

// Linux: linux/fcntl.h.
const duplicateCloseOnExec = 1030;

const symbols = { fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 } } as const;

let opened: ReturnType<typeof openLibc<typeof symbols>> | undefined;

/** Another descriptor of the same socket, which stays open when the first is closed. Throws if there is none left. */
export function copyDescriptor(descriptor: number): number {
  opened ??= openLibc(symbols);
  const copy = opened.fcntl(descriptor, duplicateCloseOnExec, 0);
  if (copy < 0) throw new Error(`descriptor ${descriptor} could not be copied`);
  return copy;
}
