import type { Fault, Moment, PlannedFault, ProgramName } from "./faults.ts";

/** "in step 14 base-backup/srv159 after 1200 ms: the link of srv127 is cut for 8.0 s" */
export function describeFault({ moment, fault }: PlannedFault): string {
  return `${describeMoment(moment)}: ${what(fault)}`;
}

/** A word or two for the summary. */
export function shortFault({ fault }: PlannedFault): string {
  switch (fault.kind) {
    case "kill-program":
    case "stop-program":
    case "restart-program":
    case "die-at-point":
    case "stop-at-point":
      return `${fault.kind.replace("-program", "")} ${nameOf(fault.program)}`;
    case "cut-link":
    case "narrow-link":
    case "power-off":
      return `${fault.kind} ${fault.host}`;
    case "lose-incoming":
      return `${fault.kind} ${fault.of}>${fault.host}`;
    case "lose-traffic":
    case "reset-connections":
      return `${fault.kind} ${fault.host}:${fault.service}`;
    case "crash-database":
    case "crash-pool":
      return `${fault.kind} ${fault.node}`;
    case "kill-copy":
    case "fill-disk":
    case "abort":
    case "resume":
    case "second-add":
      return fault.kind;
  }
}

function describeMoment(moment: Moment): string {
  switch (moment.on) {
    case "step":
      return `in step ${moment.index + 1} ${moment.id} after ${moment.afterMs} ms`;
    case "undo":
      return `in the rollback, ${moment.count} steps taken back, after ${moment.afterMs} ms`;
    case "point":
      return `at ${moment.point}${moment.times === 1 ? "" : ` (time ${moment.times})`}`;
  }
}

function what(fault: Fault): string {
  switch (fault.kind) {
    case "kill-program":
      return `${nameOf(fault.program)} is killed and comes back after ${seconds(fault.downMs)}`;
    case "stop-program":
      return `${nameOf(fault.program)} is frozen for ${seconds(fault.forMs)}`;
    case "restart-program":
      return `${nameOf(fault.program)} is restarted`;
    case "die-at-point":
      return `${nameOf(fault.program)} dies and comes back after ${seconds(fault.downMs)}`;
    case "stop-at-point":
      return `${nameOf(fault.program)} freezes for ${seconds(fault.forMs)}`;
    case "kill-copy":
      return "the copying program is killed";
    case "cut-link":
      return `the link of ${fault.host} is cut for ${seconds(fault.forMs)}`;
    case "lose-incoming":
      return `what ${fault.of} sends to ${fault.host} is lost for ${seconds(fault.forMs)}`;
    case "lose-traffic":
      return `${fault.host}'s connections to the ${fault.service} hang for ${seconds(fault.forMs)}`;
    case "reset-connections":
      return `${fault.host}'s connections to the ${fault.service} are reset`;
    case "narrow-link":
      return `the link of ${fault.host} carries ${fault.kilobits} kbit/s for ${seconds(fault.forMs)}`;
    case "power-off":
      return `${fault.host} loses its power for ${seconds(fault.forMs)}`;
    case "crash-database":
      return `the database on ${fault.node} is killed and started again after ${seconds(fault.downMs)}`;
    case "crash-pool":
      return `the pool on ${fault.node} is killed and started again after ${seconds(fault.downMs)}`;
    case "fill-disk":
      return `the disk of srv159 is full for ${seconds(fault.forMs)}`;
    case "abort":
      return "the operator aborts";
    case "resume":
      return "somebody resumes, wanted or not";
    case "second-add":
      return "a second operator adds the same node";
  }
}

function nameOf(program: ProgramName): string {
  return program === "coordinator" ? program : `agent ${program}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
