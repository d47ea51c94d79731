import type { SelfFencePorts } from "#agent/guard/guard.ts";

/** Of an agent that nobody would start again: it promises nothing. */
export const noSelfFence: SelfFencePorts = {
  majorityContact: {
    agoMs: () => 0,
    attend: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  },
  watchdogMs: null,
};
