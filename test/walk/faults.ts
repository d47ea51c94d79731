/** A program of Castellan's: the coordinator, or the agent of a host. */
export type ProgramName = "coordinator" | HostName;
export type HostName = "srv127" | "srv129" | "srv159" | "coord";
/** By its TCP port. */
export type Service = "coordinator" | "database";
export type PoolHost = "srv127" | "srv129";

/** What can go wrong on a walk, with what it needs. Draws, words and injectors all follow from this one map. */
export type FaultInputs = {
  "kill-program": { readonly program: ProgramName; readonly downMs: number };
  "stop-program": { readonly program: ProgramName; readonly forMs: number };
  "restart-program": { readonly program: ProgramName };
  /** At a named point of shared/crash-point.ts. */
  "die-at-point": { readonly program: ProgramName; readonly downMs: number };
  "stop-at-point": { readonly program: ProgramName; readonly forMs: number };
  "kill-copy": Record<never, never>;
  "cut-link": { readonly host: HostName; readonly forMs: number };
  /** One direction only: nobody is told. */
  "lose-incoming": { readonly host: HostName; readonly of: HostName; readonly forMs: number };
  /** Both directions of one service's connections, which stay half open. */
  "lose-traffic": { readonly host: HostName; readonly service: Service; readonly forMs: number };
  "reset-connections": { readonly host: HostName; readonly service: Service };
  "narrow-link": { readonly host: "srv159"; readonly kilobits: number; readonly forMs: number };
  "power-off": { readonly host: HostName; readonly forMs: number };
  "crash-database": { readonly node: PoolHost; readonly downMs: number };
  "crash-pool": { readonly node: PoolHost; readonly downMs: number };
  /** Of the target. */
  "fill-disk": { readonly forMs: number };
  abort: Record<never, never>;
  resume: Record<never, never>;
  "second-add": Record<never, never>;
};
export type FaultKind = keyof FaultInputs;
export type Fault = {
  [K in FaultKind]: { readonly kind: K } & FaultInputs[K];
}[FaultKind];

/** When a fault comes, in terms of the operation's own progress. */
export type Moment =
  | { readonly on: "step"; readonly index: number; readonly id: string; readonly afterMs: number }
  /** After so many steps have been taken back; 0 is the beginning of the rollback. */
  | { readonly on: "undo"; readonly count: number; readonly afterMs: number }
  | {
      readonly on: "point";
      readonly program: ProgramName;
      readonly point: string;
      readonly times: number;
    };

export type PlannedFault = { readonly moment: Moment; readonly fault: Fault };

/** The host whose other faults have to wait until this one is over; null: it is in nobody's way. */
export function hostOf(fault: Fault): HostName | null {
  switch (fault.kind) {
    case "kill-program":
    case "stop-program":
    case "restart-program":
    case "die-at-point":
    case "stop-at-point":
      return hostOfProgram(fault.program);
    case "cut-link":
    case "lose-incoming":
    case "lose-traffic":
    case "reset-connections":
    case "narrow-link":
    case "power-off":
      return fault.host;
    case "crash-database":
    case "crash-pool":
      return fault.node;
    case "kill-copy":
    case "fill-disk":
      return "srv159";
    case "abort":
    case "resume":
    case "second-add":
      return null;
  }
}

export function hostOfProgram(program: ProgramName): HostName {
  return program === "coordinator" ? "coord" : program;
}

/**
 * Whether clients may feel it: "never" is Castellan's own programs and people, which no client may notice at
 * all. The new node matters to clients as soon as the pools read from it.
 */
export function touchesClients(fault: Fault): "always" | "once-registered" | "never" {
  switch (fault.kind) {
    case "crash-database":
    case "crash-pool":
      return "always";
    case "cut-link":
    case "power-off":
      if (fault.host === "coord") return "never";
      return fault.host === "srv159" ? "once-registered" : "always";
    case "lose-incoming": {
      const hosts = [fault.host, fault.of];
      if (hosts.includes("coord")) return "never";
      return hosts.includes("srv159") ? "once-registered" : "always";
    }
    case "lose-traffic":
    case "reset-connections":
      if (fault.service === "coordinator") return "never";
      return fault.host === "srv159" ? "once-registered" : "always";
    case "narrow-link":
    case "fill-disk":
      return "once-registered";
    case "kill-program":
    case "stop-program":
    case "restart-program":
    case "die-at-point":
    case "stop-at-point":
    case "kill-copy":
    case "abort":
    case "resume":
    case "second-add":
      return "never";
  }
}
