import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";

const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const pointerBytes = 8;
const lastStandardStream = 2;
// fcntl(2)
const setDescriptorFlags = 2;
const closeOnExec = 1;

/**
 * Makes this process run another program (execve(2)): same number, same parent, same standard streams, so that whoever supervises it
 * sees nothing. Returns only if that fails, and then throws. Linux only.
 */
export function replaceProcess(command: readonly string[]): never {
  const [path = ""] = command;
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ""}`);
  const texts = [...command, ...environment].map((text) => Buffer.from(`${text}\0`));
  const [args, env] = [pointers(texts.slice(0, command.length)), pointers(texts.slice(command.length))];
  const name = Buffer.from(`${path}\0`);
  const { execve, fcntl } = open();
  // Bun's own descriptors would stay open in a program that knows nothing of them.
  for (const descriptor of readdirSync("/proc/self/fd").map(Number))
    if (descriptor > lastStandardStream) fcntl(descriptor, setDescriptorFlags, closeOnExec);
  const result = execve(ptr(name), ptr(args), ptr(env));
  throw new Error(`${path} could not be run in place of this process (${result}, ${texts.length} texts)`);
}

/** An array of pointers to texts, with a null at its end. */
function pointers(texts: readonly Buffer[]): Buffer {
  const array = Buffer.alloc((texts.length + 1) * pointerBytes);
  for (const [at, text] of texts.entries()) array.writeBigUInt64LE(BigInt(addressOf(text)), at * pointerBytes);
  return array;
}

function addressOf(text: Buffer): Pointer {
  return ptr(text);
}

function open() {
  if (process.platform !== "linux") throw new Error("a process can be replaced on Linux only");
  for (const library of libraries) {
    try {
      const { symbols } = dlopen(library, {
        fcntl: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
        execve: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
      });
      return symbols;
    } catch {
      // The C library of another system.
    }
  }
  throw new Error("the C library was not found");
}
