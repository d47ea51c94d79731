import type { CommandResult } from "#shared/domain/commands.ts";
import type { Asked, Probes } from "#coordinator/operations/add-node/situation.ts";
import type { WorldOptions } from "../../declared-node.ts";
import { change, changeFile, type World } from "../../world.ts";

export const pool: WorldOptions = { pool: true };
export const kingbase: WorldOptions = { product: "kingbase-v8r3", pool: true };
export const newcomer = "srv159";

type Target = CommandResult<"probe-target">;

export function target(edit: (answer: Target) => Target): (world: World) => void {
  return (world) => {
    probes(world, (p) => ({ ...p, target: withAnswer(p.target, edit) }));
  };
}

export function probes(world: World, edit: (probes: Probes) => Probes): void {
  const before = world.probe;
  world.probe = (found) => edit(before(found));
}

export function withAnswer<T>(asked: Asked<T> | null, edit: (answer: T) => T): Asked<T> | null {
  return asked === null || asked.answer === null
    ? asked
    : { answer: edit(asked.answer), problem: null };
}

export function logins(
  sqlState: string | null,
  message: string,
  replication: boolean,
): (world: World) => void {
  return (world) => {
    probes(world, (p) => ({
      ...p,
      logins: withAnswer(p.logins, ({ results }) => ({
        results: results.map((row) =>
          row.login.replication === replication ? { ...row, sqlState, message } : row,
        ),
      })),
    }));
  };
}

export function reachTo(
  edit: (answer: CommandResult<"probe-reach">) => CommandResult<"probe-reach">,
): (world: World) => void {
  return (world) => {
    probes(world, (p) => ({
      ...p,
      reachToNewcomer: new Map(
        [...p.reachToNewcomer].flatMap(([node, asked]) => {
          const edited = withAnswer(asked, edit);
          return edited === null ? [] : [[node, edited] as const];
        }),
      ),
    }));
  };
}

export function host(node: string, part: object): (world: World) => void {
  return (world) => {
    change(world, node, (facts) => ({ ...facts, host: { ...facts.host, ...part } }));
  };
}

export function agent(node: string, part: object): (world: World) => void {
  return (world) => {
    change(world, node, (facts) => ({ ...facts, agent: { ...facts.agent, ...part } }));
  };
}

export function view(node: string, part: object): (world: World) => void {
  return (world) => {
    const before = world.agents.get(node);
    if (before !== undefined) world.agents.set(node, { ...before, ...part });
  };
}

export function directories(part: Partial<Target["directories"][number]>): (world: World) => void {
  return target((answer) => ({
    ...answer,
    directories: answer.directories.map((directory) => ({ ...directory, ...part })),
  }));
}

export function dataDirectory(part: Partial<Target["dataDirectory"]>): (world: World) => void {
  return target((answer) => ({ ...answer, dataDirectory: { ...answer.dataDirectory, ...part } }));
}

export function haModule(node: string, from: string | RegExp, to: string): (world: World) => void {
  return (world) => {
    changeFile(world, node, "/db/etc/HAmodule.conf", (text) => text.replace(from, to));
  };
}

export function poolConf(from: string | RegExp, to: string): (world: World) => void {
  return (world) => {
    changeFile(world, "srv127", "/pgpool.conf", (text) => text.replace(from, to));
  };
}
