import { dlopen, type FFIFunction } from "bun:ffi";

/** glibc, and musl on the two architectures that Bun runs on. */
const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** Functions of the C library that Bun has no words for. Throws where there is none that is known. */
export function openLibc<const Symbols extends Record<string, FFIFunction>>(symbols: Symbols) {
  if (process.platform !== "linux") throw new Error("this is possible on Linux only");
  for (const library of libraries) {
    try {
      return dlopen(library, symbols).symbols;
    } catch {
      // The C library of another system.
    }
  }
  throw new Error("the C library was not found");
}
