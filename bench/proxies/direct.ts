import type { Contender } from "./contender.ts";

/** No proxy: the load speaks to the echo server, which shows what these two reach on their core. */
export const direct: Contender = {
  name: "direct",
  warmupFactor: 1,

  async version() {
    return "";
  },

  async prepare() {
    return [];
  },

  async checkReady() {},

  async processes() {
    return [];
  },
};
