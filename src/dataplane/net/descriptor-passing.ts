import { FFIType, type Pointer, ptr } from "bun:ffi";
import { openLibc } from "./libc.ts";

/** What the kernel passes in one message at most (SCM_MAX_FD is 253). */
export const mostDescriptors = 250;

// Linux: sys/socket.h, and struct msghdr and cmsghdr as every 64-bit platform has them.
const solSocket = 1;
const scmRights = 1;
const dontWait = 0x40;
const noSignal = 0x4000;
const closeOnExec = 0x40000000;
const messageHeaderSize = 56;
const controlHeaderSize = 16;
const descriptorSize = 4;

const messageSymbols = {
  sendmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i64 },
  recvmsg: { args: [FFIType.i32, FFIType.ptr, FFIType.i32], returns: FFIType.i64 },
} as const;

/** Sends descriptors of this process through a Unix socket (unix(7), SCM_RIGHTS), at most `mostDescriptors`. Throws if that fails. */
export function sendDescriptors(socket: number, descriptors: readonly number[]): void {
  const control = Buffer.alloc(controlSize(descriptors.length));
  control.writeBigUInt64LE(BigInt(controlHeaderSize + descriptors.length * descriptorSize), 0);
  control.writeInt32LE(solSocket, 8);
  control.writeInt32LE(scmRights, 12);
  for (const [at, descriptor] of descriptors.entries())
    control.writeInt32LE(descriptor, controlHeaderSize + at * descriptorSize);
  const sent = withMessage(control, (message) => libc().sendmsg(socket, message, noSignal | dontWait));
  if (sent !== 1) throw new Error(`${descriptors.length} descriptors could not be sent`);
}

/** Takes over the descriptors of one `sendDescriptors` that has happened already. Throws if there is none. */
export function receiveDescriptors(socket: number): number[] {
  const control = Buffer.alloc(controlSize(mostDescriptors));
  const received = withMessage(control, (message) => libc().recvmsg(socket, message, dontWait | closeOnExec));
  if (received !== 1) throw new Error("descriptors were announced that did not come");
  const end = Number(control.readBigUInt64LE(0));
  const descriptors: number[] = [];
  for (let at = controlHeaderSize; at < end; at += descriptorSize) descriptors.push(control.readInt32LE(at));
  return descriptors;
}

function controlSize(descriptors: number): number {
  return controlHeaderSize + Math.ceil((descriptors * descriptorSize) / 8) * 8;
}

/** A message of one byte, because none is not a message. */
function withMessage(control: Buffer, act: (message: Pointer) => number | bigint): number {
  const byte = Buffer.alloc(1);
  const piece = Buffer.alloc(16);
  piece.writeBigUInt64LE(BigInt(ptr(byte)), 0);
  piece.writeBigUInt64LE(1n, 8);
  const message = Buffer.alloc(messageHeaderSize);
  message.writeBigUInt64LE(BigInt(ptr(piece)), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(BigInt(ptr(control)), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const result = Number(act(ptr(message)));
  // Pointers keep nothing alive: the buffers must outlast the call.
  return byte.length + piece.length + message.length + control.length > 0 ? result : -1;
}

let opened: ReturnType<typeof openLibc<typeof messageSymbols>> | undefined;

/** Opened when it is first needed: nobody else pays for it. */
function libc() {
  opened ??= openLibc(messageSymbols);
  return opened;
}
