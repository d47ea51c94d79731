import { setTimeout as sleep } from "node:timers/promises";
import { addArguments } from "#test/e2e/support/operations.ts";
import type { TestDisk } from "#test/harness/faults/disk.ts";
import {
  loseIncoming,
  loseTraffic,
  narrowLink,
  resetConnections,
} from "#test/harness/faults/network.ts";
import type { Fault, FaultInputs, FaultKind, Service } from "./faults.ts";
import type { Progress } from "./progress.ts";
import { killDatabase, killPool, startDatabase, startPool, startUnits } from "./site.ts";
import { coordinatorPort, type Stage } from "./stage.ts";

/** Everything that a fault can be done with. */
export type Scene = {
  readonly stage: Stage;
  readonly progress: Progress;
  /** The arguments of the walk's own `node add`. */
  readonly addOptions: readonly string[];
};

/** What came of it, in a few words; the world is healed when it answers. */
type Injector<K extends FaultKind> = (scene: Scene, inputs: FaultInputs[K]) => Promise<string>;

/** Does one fault and heals it. The moment of a `…-at-point` has come: the program is dead or frozen already. */
export function inject(scene: Scene, fault: Fault): Promise<string> {
  // Kind and inputs come from one member of the union: TypeScript can't follow that link.
  const injector = injectors[fault.kind] as (scene: Scene, inputs: Fault) => Promise<string>;
  return injector(scene, fault);
}

const injectors: { readonly [K in FaultKind]: Injector<K> } = {
  "kill-program": async ({ stage: { programs } }, { program, downMs }) => {
    await programs.kill(program);
    await sleep(downMs);
    await programs.start(program);
    return "killed and started";
  },
  "stop-program": async ({ stage: { programs } }, { program, forMs }) => {
    programs.signal(program, "SIGSTOP");
    await sleep(forMs);
    programs.signal(program, "SIGCONT");
    return "frozen and woken";
  },
  "restart-program": async ({ stage: { programs } }, { program }) => {
    await programs.restart(program);
    return "restarted";
  },
  "die-at-point": async ({ stage: { programs } }, { program, downMs }) => {
    await sleep(downMs);
    await programs.start(program);
    return "died and started";
  },
  "stop-at-point": async ({ stage: { programs } }, { program, forMs }) => {
    await sleep(forMs);
    programs.signal(program, "SIGCONT");
    return "froze and woken";
  },
  "kill-copy": async ({ stage: { cluster } }) => {
    const { host } = cluster.node("srv159");
    const { stdout } = await host.exec(["ps", "-eo", "pid=,args="]);
    const found = stdout.split("\n").filter((line) => /\/(?:pg|sys)_basebackup .*slot/.test(line));
    const pids = found.map((line) => line.trim().split(" ")[0] ?? "");
    if (pids.length === 0) return "no copy was under way";
    await host.exec(["kill", "-9", ...pids], { reject: false });
    return "killed";
  },
  "cut-link": async ({ stage: { lab } }, { host, forMs }) => {
    await lab.host(host).cutLink();
    await sleep(forMs);
    await lab.host(host).healLink();
    return "cut and healed";
  },
  "lose-incoming": async ({ stage: { lab } }, { host, of, forMs }) => {
    const fault = await loseIncoming(lab.host(host), { of: lab.host(of) });
    await sleep(forMs);
    await fault.heal();
    return "lost and healed";
  },
  "lose-traffic": async ({ stage }, { host, service, forMs }) => {
    const fault = await loseTraffic(stage.lab.host(host), { port: portOf(stage, service) });
    await sleep(forMs);
    await fault.heal();
    return "hung and healed";
  },
  "reset-connections": async ({ stage }, { host, service }) => {
    const count = await resetConnections(stage.lab.host(host), portOf(stage, service));
    return `${count} reset`;
  },
  "narrow-link": async ({ stage: { lab } }, { host, kilobits, forMs }) => {
    const fault = await narrowLink(lab.host(host), kilobits);
    await sleep(forMs);
    await fault.heal();
    return "narrow and wide again";
  },
  "power-off": async ({ stage }, { host, forMs }) => {
    await stage.lab.host(host).powerOff();
    await sleep(forMs);
    await stage.lab.host(host).boot();
    await startUnits(stage, host);
    return "off and on again";
  },
  "crash-database": async ({ stage }, { node, downMs }) => {
    const was = await killDatabase(stage.cluster.node(node));
    await sleep(downMs);
    await startDatabase(stage, stage.cluster.node(node));
    return was ? "killed and started" : "it did not run";
  },
  "crash-pool": async ({ stage }, { node, downMs }) => {
    const was = await killPool(stage, node);
    await sleep(downMs);
    await startPool(stage, node);
    return was ? "killed and started" : "it did not run";
  },
  "fill-disk": async ({ stage }, { forMs }) => {
    const target = stage.cluster.node("srv159");
    const isThere = (): boolean => target.host.exists(`${target.paths.dataDir}/global`);
    const ran = isThere() && (await stage.cluster.isRunning("srv159"));
    const fault = await diskOf(stage).fill();
    await sleep(forMs);
    await fault.heal();
    // A server that found no room ends itself; its unit starts it again.
    if (ran && isThere()) await startDatabase(stage, target);
    return "filled and emptied";
  },
  abort: ({ stage, progress }) => tell(stage, ["operation", "abort", idOf(progress), "--detach"]),
  resume: ({ stage, progress }) => tell(stage, ["operation", "resume", idOf(progress), "--detach"]),
  "second-add": ({ stage, addOptions }) => tell(stage, addArguments(stage.cluster, ...addOptions)),
};

function portOf({ cluster }: Stage, service: Service): number {
  return service === "database" ? cluster.port : coordinatorPort;
}

function diskOf({ disk }: Stage): TestDisk {
  if (disk === null) throw new Error("srv159 has no disk of its own on this stage");
  return disk;
}

/** A command of a person: what it answers is noted, and whatever it is must do no harm. */
async function tell({ castellan }: Stage, args: readonly string[]): Promise<string> {
  try {
    const { exitCode } = await castellan.cli(args, { reject: false, timeoutMs: 60_000 });
    return `exit status ${exitCode}`;
  } catch {
    return "the coordinator's host is off";
  }
}

function idOf(progress: Progress): string {
  return progress.operation()?.id ?? "none";
}
