import type { FaultOutcome } from "./saboteur.ts";

type Excuse = {
  /** Which faults explain it. */
  readonly after: (outcome: FaultOutcome) => boolean;
  readonly line: RegExp;
  readonly because: string;
};

const poolsWereHit = ({ mayTouchClients }: FaultOutcome): boolean => mayTouchClients;

const serverWasStarted = ({ planned: { fault } }: FaultOutcome): boolean =>
  fault.kind === "fill-disk" || (fault.kind === "power-off" && fault.host === "srv159");

const excuses: readonly Excuse[] = [
  {
    after: poolsWereHit,
    line: / file \S*\/failover\.log: absent -> /,
    because: "the pools' failover command writes down that it was called",
  },
  {
    after: poolsWereHit,
    line: / address 192\.168\.4\.201/,
    because: "the watchdogs give the virtual address to the other pool",
  },
  {
    after: serverWasStarted,
    line: /^srv159 file \S*\/server\.log: absent -> /,
    because: "the site's unit writes a log of its own when it starts the new node's server",
  },
];

/** Whether a difference is the declared faults' own doing, and nothing that Castellan should have prevented. */
export function excusesFor(outcomes: readonly FaultOutcome[]): (line: string) => boolean {
  const came = outcomes.filter(({ outcome }) => outcome !== null);
  const valid = excuses.filter(({ after }) => came.some(after));
  return (line) => valid.some((excuse) => excuse.line.test(line));
}
