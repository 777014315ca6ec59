import { afterAll, beforeAll } from "bun:test";
import { meanHttp1 } from "./http2-bridge.ts";

/** For a file about messages and connections of HTTP/1.1: its tests run over them also where others run over HTTP/2. */
export function stayOnHttp1(): void {
  beforeAll(() => meanHttp1(true));
  afterAll(() => meanHttp1(false));
}
