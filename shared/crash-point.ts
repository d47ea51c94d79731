import type { AsyncLocalStorage } from "node:async_hooks";

/** Set to true by the bundler for test bundles only; production bundles hold `false` and no code. */
declare const CASTELLAN_CRASH_POINTS: boolean;

const reached = new Map<string, number>();
/** What is being done, such as `run:create-slot`; made when it is first needed. */
let scopes: AsyncLocalStorage<string> | null = null;

/**
 * A named instant at which a test may strike this process as the kernel would: no cleanup, no flush. The name is
 * POINT[:PHASE][:KIND]; of a kind that holds a colon the part before it, of a path the file's name, or the folder's
 * where files are named by what they hold. Inside a scope (below) also that name with `/SCOPE` behind it, and POINT
 * alone. What strikes is in the environment:
 *
 * - `CASTELLAN_CRASH_AT=NAME[@N]`: SIGKILL when a point of this name is reached for the Nth time (names hold colons);
 * - `CASTELLAN_STOP_AT=NAME[@N]`: SIGSTOP, until a test sends SIGCONT;
 * - `CASTELLAN_POINT_LOG=FILE`: the longest name of every point that is reached is appended to it, a line each.
 */
export function crashPoint(point: string, kind?: string, phase?: string): void {
  if (typeof CASTELLAN_CRASH_POINTS !== "undefined" && CASTELLAN_CRASH_POINTS) {
    // Put together here, so that nothing of it is left at the call in production.
    const name = [point, phase, shortened(kind)].filter((p) => p !== undefined).join(":");
    // Whichever step or look comes first keeps a version: it is nobody's in particular.
    const scope = kind !== undefined && keptVersion.test(kind) ? undefined : scopes?.getStore();
    // `agent:applied:create-slot` says already what is being done.
    const isSaid = scope === undefined || name.endsWith(scope.slice(scope.indexOf(":")));
    const longest = isSaid ? name : `${name}/${scope}`;
    const names = new Set([point, name, longest]);
    for (const each of names) reached.set(each, (reached.get(each) ?? 0) + 1);
    const strikes = (variable: string): boolean => {
      const [, wanted = "", times = "1"] =
        /^(.*?)(?:@(\d+))?$/.exec(process.env[variable] ?? "") ?? [];
      return names.has(wanted) && reached.get(wanted) === Number(times);
    };
    const log = process.env["CASTELLAN_POINT_LOG"];
    if (log !== undefined)
      process.getBuiltinModule("node:fs").appendFileSync(log, `${longest}\n`, { flush: true });
    if (strikes("CASTELLAN_CRASH_AT")) process.kill(process.pid, "SIGKILL");
    if (strikes("CASTELLAN_STOP_AT")) process.kill(process.pid, "SIGSTOP");
  }
}

/** An earlier version of a watched file: `<folder>/<the file's path>/<when>-…`. */
const keptVersion = /\/\d{15}-[^/]*$/;

function shortened(kind: string | undefined): string | undefined {
  if (kind?.startsWith("/") !== true) return kind?.split(":", 1)[0];
  const [above = "", folder = "", file = ""] = kind.split("/").slice(-3);
  if (keptVersion.test(kind)) return above;
  return (/\.json$|[0-9a-f]{16}/.test(file) ? folder : file).replace(/op-\w+/, "op");
}

/** Names what is being done from here on in this asynchronous flow: points that many steps share are told apart by it. */
export function crashScope(phase: string, kind: string): void {
  if (typeof CASTELLAN_CRASH_POINTS !== "undefined" && CASTELLAN_CRASH_POINTS) {
    scopes ??= new (process.getBuiltinModule("node:async_hooks").AsyncLocalStorage)();
    scopes.enterWith(`${phase}:${kind.split(":", 1)[0]}`);
  }
}
