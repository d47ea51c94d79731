import { writeFileSync } from "node:fs";
import type { Host } from "../host.ts";

/**
 * A time of day of its own for one of our programs; all hosts of a lab share the machine's. Only the clock that people
 * set is moved (gettimeofday, CLOCK_REALTIME): the monotonic one stays true, as on a real host whose clock is set.
 */
export type ProgramClock = {
  /** For the environment of the program; what it starts itself does not inherit it. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on the program takes it for so many seconds later than it is (or earlier). */
  set(offsetSeconds: number): void;
};

const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
let counter = 0;

export async function programClock(host: Host, offsetSeconds: number): Promise<ProgramClock> {
  counter += 1;
  const file = `/run/clock-${counter}`;
  const text = (seconds: number): string => `${seconds < 0 ? "" : "+"}${seconds}\n`;
  await host.writeFile(file, text(offsetSeconds));
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
      FAKETIME_DISABLE_SHM: "1",
    },
    // In place: a reader between two writes must not find the file missing.
    set: (seconds) => writeFileSync(host.path(file), text(seconds)),
  };
}
