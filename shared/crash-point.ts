/** Set to true by the bundler for test bundles only; production bundles hold `false` and no code. */
declare const CASTELLAN_CRASH_POINTS: boolean;

const reached = new Map<string, number>();

/**
 * A named instant at which a test may strike this process as the kernel would: no cleanup, no flush. The name is
 * POINT[:PHASE][:KIND], of a kind that holds a colon the part before it. What strikes is in the environment:
 *
 * - `CASTELLAN_CRASH_AT=NAME[@N]`: SIGKILL when the point is reached for the Nth time (names hold colons);
 * - `CASTELLAN_STOP_AT=NAME[@N]`: SIGSTOP, until a test sends SIGCONT;
 * - `CASTELLAN_POINT_LOG=FILE`: the name of every point that is reached is appended to it, a line each.
 */
export function crashPoint(point: string, kind?: string, phase?: string): void {
  if (typeof CASTELLAN_CRASH_POINTS !== "undefined" && CASTELLAN_CRASH_POINTS) {
    // Put together here, so that nothing of it is left at the call in production.
    const name = [point, phase, kind?.split(":", 1)[0]].filter((p) => p !== undefined).join(":");
    const times = (reached.get(name) ?? 0) + 1;
    reached.set(name, times);
    const strikes = (variable: string): boolean => {
      const match = /^(.*?)(?:@(\d+))?$/.exec(process.env[variable] ?? "");
      return match?.[1] === name && times === Number(match[2] ?? 1);
    };
    const log = process.env["CASTELLAN_POINT_LOG"];
    if (log !== undefined)
      process.getBuiltinModule("node:fs").appendFileSync(log, `${name}\n`, { flush: true });
    if (strikes("CASTELLAN_CRASH_AT")) process.kill(process.pid, "SIGKILL");
    if (strikes("CASTELLAN_STOP_AT")) process.kill(process.pid, "SIGSTOP");
  }
}
