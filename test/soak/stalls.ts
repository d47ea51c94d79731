import { setTimeout as sleep } from "node:timers/promises";
import type { Host } from "#test/harness/host.ts";
import { loseTraffic } from "#test/harness/faults/network.ts";
import type { Random } from "#test/walk/random.ts";
import { nodes, type Bed } from "./bed.ts";

/** Nothing is longer: what a busy host, a switch or a disk does on any day. */
const mostMs = 1_000;

type Stall = {
  readonly weight: number;
  /** Answers what it was done to; over when it answers. */
  readonly inflict: (bed: Bed, node: string, random: Random) => Promise<string>;
};

export const stalls = {
  "agent-stopped": {
    weight: 3,
    inflict: async ({ castellan }, node, random) => {
      const agent = castellan.agent(node);
      agent.kill("SIGSTOP");
      await sleep(random.between(100, mostMs));
      agent.kill("SIGCONT");
      return node;
    },
  },
  "coordinator-stopped": {
    weight: 1,
    inflict: async ({ castellan }, _node, random) => {
      castellan.coordinator().kill("SIGSTOP");
      await sleep(random.between(100, mostMs));
      castellan.coordinator().kill("SIGCONT");
      return "coord";
    },
  },
  "postmaster-stopped": {
    weight: 3,
    inflict: async (bed, node, random) => {
      await stopped(hostOf(bed, node), [await postmasterOf(bed, node)], random);
      return node;
    },
  },
  "backend-stopped": {
    weight: 4,
    inflict: async (bed, node, random) => {
      const host = hostOf(bed, node);
      const children = await childrenOf(host, await postmasterOf(bed, node));
      const [pid, name] = random.pick(children);
      await stopped(host, [pid], random);
      return `${node} ${name}`;
    },
  },
  "database-stopped": {
    weight: 2,
    inflict: async (bed, node, random) => {
      const host = hostOf(bed, node);
      const pid = await postmasterOf(bed, node);
      const children = (await childrenOf(host, pid)).map(([child]) => child);
      await stopped(host, [pid, ...children], random);
      return node;
    },
  },
  "pool-stopped": {
    weight: 3,
    inflict: async ({ cluster }, _node, random) => {
      const pools = cluster.pools?.nodes ?? [];
      const { name, host, pool } = random.pick(pools);
      const pid = /\d+/.exec(await host.readFile(pool.pidFile))?.[0] ?? "";
      const children = (await childrenOf(host, pid)).map(([child]) => child);
      await stopped(host, random.chance(0.5) ? [pid] : [pid, ...children], random);
      return name;
    },
  },
  "packets-lost": {
    weight: 3,
    inflict: async ({ lab }, node, random) => {
      const other = random.pick([...nodes, "coord"].filter((name) => name !== node));
      const fault = await loseTraffic(lab.host(node), { of: lab.host(other) });
      await sleep(random.between(200, mostMs));
      await fault.heal();
      return `${node} ${other}`;
    },
  },
  "fsync-slow": {
    weight: 3,
    inflict: async (bed, node, random) => {
      const host = hostOf(bed, node);
      const writers = await childrenOf(host, await postmasterOf(bed, node));
      const pids = writers
        .filter(([, name]) => /checkpointer|walwriter|walreceiver/.test(name))
        .flatMap(([pid]) => ["-p", pid]);
      const calls = "fsync,fdatasync";
      const delay = `inject=${calls}:delay_enter=${random.between(100, mostMs) * 1_000}`;
      const strace = ["strace", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", delay];
      await host.exec(["timeout", "2", ...strace, ...pids], { reject: false });
      return node;
    },
  },
  "clock-set": {
    weight: 2,
    inflict: async ({ clocks }, node, random) => {
      const seconds = random.pick([-86_400, -3_600, -60, 60, 3_600, 86_400]);
      clocks.get(node)?.set(seconds);
      await sleep(random.between(1_000, 5_000));
      clocks.get(node)?.set(0);
      return `${node} by ${seconds} s and back`;
    },
  },
} as const satisfies Record<string, Stall>;

function hostOf({ cluster }: Bed, node: string): Host {
  return cluster.node(node).host;
}

async function postmasterOf({ cluster }: Bed, node: string): Promise<string> {
  const { host, paths } = cluster.node(node);
  return (await host.readFile(paths.pidFile)).split("\n")[0] ?? "";
}

async function childrenOf(
  host: Host,
  pid: string,
): Promise<readonly (readonly [string, string])[]> {
  const { stdout } = await host.exec(["ps", "-o", "pid=,args=", "--ppid", pid], { reject: false });
  return stdout
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(.*)$/.exec(line))
    .flatMap((found) => (found === null ? [] : [[found[1] ?? "", found[2] ?? ""] as const]));
}

async function stopped(host: Host, pids: readonly string[], random: Random): Promise<void> {
  await host.exec(["kill", "-STOP", ...pids], { reject: false });
  await sleep(random.between(100, mostMs));
  await host.exec(["kill", "-CONT", ...pids], { reject: false });
}
