import { FrameScanner, type ScannerListener, type Violation } from "../../src/dataplane/relay/frame-scanner.ts";

/** Writes down what a scanner finds. */
export class ScannerNotes implements ScannerListener {
  readonly passed: Uint8Array[] = [];
  passedBytes = 0;
  readonly closes: { frame: Buffer; code: number; reason: string }[] = [];
  readonly pongs: string[] = [];
  readonly violations: Violation[] = [];
  /** How much had been passed at each boundary. */
  readonly boundaries: number[] = [];
  keepsPong: (payload: Uint8Array) => boolean = () => true;
  onPass(bytes: Uint8Array): void {
    this.passed.push(new Uint8Array(bytes));
    this.passedBytes += bytes.length;
  }
  onCloseFrame(frame: Uint8Array, code: number, reason: string): void {
    this.closes.push({ frame: Buffer.from(new Uint8Array(frame)), code, reason });
  }
  onPong(payload: Uint8Array): boolean {
    this.pongs.push(Buffer.from(payload).toString("latin1"));
    return this.keepsPong(payload);
  }
  onBoundary(): void {
    this.boundaries.push(this.passedBytes);
  }
  onViolation(violation: Violation): void {
    this.violations.push(violation);
  }
  get all(): Buffer {
    return Buffer.concat(this.passed);
  }
}

/** A scanner, of what an upstream sends unless told otherwise, and what it finds. */
export function scanner(options: { isMasked?: boolean; mayUseReservedBits?: boolean } = {}) {
  const notes = new ScannerNotes();
  const scanned = new FrameScanner(notes, {
    isMasked: options.isMasked ?? false,
    mayUseReservedBits: options.mayUseReservedBits ?? false,
  });
  return { notes, scanned };
}
