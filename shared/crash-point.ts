/** Set to true by the bundler for test bundles only; production bundles hold `false` and no code. */
declare const CASTELLAN_CRASH_POINTS: boolean;

let reached = 0;

/**
 * A named instant at which a test may kill this process as the kernel would: no cleanup, no flush.
 * `CASTELLAN_CRASH_AT=NAME[@N]` (names hold colons) kills when it is reached for the Nth time. The name is
 * POINT[:PHASE][:KIND], of a kind that holds a colon the part before it.
 */
export function crashPoint(point: string, kind?: string, phase?: string): void {
  if (typeof CASTELLAN_CRASH_POINTS !== "undefined" && CASTELLAN_CRASH_POINTS) {
    // Put together here, so that nothing of it is left at the call in production.
    const name = [point, phase, kind?.split(":", 1)[0]].filter((p) => p !== undefined).join(":");
    const match = /^(.*?)(?:@(\d+))?$/.exec(process.env["CASTELLAN_CRASH_AT"] ?? "");
    if (match?.[1] !== name) return;
    reached += 1;
    if (reached >= Number(match[2] ?? 1)) process.kill(process.pid, "SIGKILL");
  }
}
