import { ConnectionFault, errorCode, maxPayload, maxWindow, setting } from "./frames.ts";

/** What a peer has said of itself, as far as it needs heeding here; what it has not said is absent. */
export type PeerSettings = {
  /** SETTINGS_INITIAL_WINDOW_SIZE (bytes). */
  firstWindow?: number;
  /** SETTINGS_MAX_CONCURRENT_STREAMS. */
  maxStreams?: number;
  /** SETTINGS_HEADER_TABLE_SIZE (bytes). */
  tableSize?: number;
  /** SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3). */
  takesSessions?: boolean;
};

/** Reads SETTINGS, of which the last word about a parameter holds. */
export function readSettings(payload: Buffer): PeerSettings {
  if (payload.length % 6 !== 0) throw new ConnectionFault(errorCode.frameSize, "SETTINGS ends in the middle");
  const settings: PeerSettings = {};
  for (let at = 0; at < payload.length; at += 6) {
    const id = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    if (id === setting.enablePush && value > 1) throw outOfRange("SETTINGS_ENABLE_PUSH");
    if (id === setting.maxFrameSize && (value < maxPayload || value > 0xffffff))
      throw outOfRange("SETTINGS_MAX_FRAME_SIZE");
    if (id === setting.enableConnectProtocol && value > 1) throw outOfRange("SETTINGS_ENABLE_CONNECT_PROTOCOL");
    if (id === setting.initialWindowSize && value > maxWindow)
      throw new ConnectionFault(errorCode.flowControl, "a window is too large");
    take(settings, id, value);
  }
  return settings;
}

function take(settings: PeerSettings, id: number, value: number): void {
  switch (id) {
    case setting.initialWindowSize:
      settings.firstWindow = value;
      break;
    case setting.maxConcurrentStreams:
      settings.maxStreams = value;
      break;
    case setting.headerTableSize:
      settings.tableSize = value;
      break;
    case setting.enableConnectProtocol:
      settings.takesSessions = value === 1;
      break;
  }
}

function outOfRange(name: string): ConnectionFault {
  return new ConnectionFault(errorCode.protocol, `${name} is out of range`);
}
