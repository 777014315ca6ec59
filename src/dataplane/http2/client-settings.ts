import { ConnectionFault, errorCode, maxPayload, maxWindow, setting } from "./frames.ts";

/** Reads the SETTINGS of a client: its SETTINGS_INITIAL_WINDOW_SIZE, if it says one. The rest is checked and needs no heeding here. */
export function readSettings(payload: Buffer): number | undefined {
  if (payload.length % 6 !== 0) throw new ConnectionFault(errorCode.frameSize, "SETTINGS ends in the middle");
  let firstWindow: number | undefined;
  for (let at = 0; at < payload.length; at += 6) {
    const id = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    if (id === setting.enablePush && value > 1) throw outOfRange("SETTINGS_ENABLE_PUSH");
    if (id === setting.maxFrameSize && (value < maxPayload || value > 0xffffff))
      throw outOfRange("SETTINGS_MAX_FRAME_SIZE");
    if (id !== setting.initialWindowSize) continue;
    if (value > maxWindow) throw new ConnectionFault(errorCode.flowControl, "a window is too large");
    firstWindow = value;
  }
  return firstWindow;
}

function outOfRange(name: string): ConnectionFault {
  return new ConnectionFault(errorCode.protocol, `${name} is out of range`);
}
