import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { removeControlGroups } from "./cgroups.ts";
import { makeDisk } from "./host-init.ts";
import { forgetExit, onExit } from "./exit-hooks.ts";
import type { Host, HostProcess, HostSpec } from "./host.ts";
import {
  labFolder,
  removeFolder,
  removeNamespaces,
  saveRecord,
  sweepStaleLabs,
} from "./lab-registry.ts";
import { createLoopbackHost, processesOf, type LoopbackHost } from "./loopback-host.ts";
import { createNamespaceHost, type NamespaceHost } from "./namespace-host.ts";
import { createNetwork, gatewayOf, type Network } from "./network.ts";
import { connectThrough, relayProgram } from "./relay.ts";
import { dieWithUs, spawnProcess } from "./spawned.ts";
import { findUser } from "./users.ts";

type LabMode = "namespaces" | "loopback";

export type LabOptions = {
  readonly hosts: readonly HostSpec[];
  /** By default namespaces as root, else loopback (addresses of 127.0.0.0/8 only). */
  readonly mode?: LabMode;
  /** The lab outlives this program; `removeLab(lab.folder)` ends it. */
  readonly detached?: boolean;
};

/** Machines of a test: real ones in every respect that a database and its pool can notice. */
export interface Lab extends AsyncDisposable {
  readonly id: string;
  readonly mode: LabMode;
  /** Holds everything of the lab; each host's disk is a folder of the host's name. */
  readonly folder: string;
  readonly hosts: readonly Host[];
  /** The hosts' default gateway, held by the switch (namespaces only): a trust address that answers pings. */
  readonly gateway: string;
  host(name: string): Host;
  /** The OS user that stands for a product's user: "kingbase" or "postgres" in namespaces, else who can be had. */
  osUser(wanted: string): string;
  /** A TCP connection into the lab from the calling program; it comes from the gateway's address. */
  connect(address: string, port: number): Promise<Socket>;
  /** Keep the folder when the lab is disposed of: call it when a test failed. */
  keep(): void;
  /** Throws when a disposed lab left a process, a network namespace or (unless kept) its folder. */
  assertNoLeftovers(): void;
}

let counter = 0;

/** Builds and boots a lab. Labs of programs that died without cleaning up are swept first. */
export async function createLab(options: LabOptions): Promise<Lab> {
  const mode = options.mode ?? (process.getuid?.() === 0 ? "namespaces" : "loopback");
  const detached = options.detached ?? false;
  await sweepStaleLabs();
  counter += 1;
  const id = `lab${process.pid}-${counter}`;
  const folder = labFolder(id);
  mkdirSync(folder, { recursive: true });
  // The databases' OS users have to get through.
  chmodSync(folder, 0o755);
  const namespaces = ["sw", ...options.hosts.map(({ name }) => name)].map((n) => `${id}-${n}`);
  saveRecord(folder, detached, mode === "namespaces" ? namespaces : []);
  const kept = { value: false };
  const parts: Parts = {
    mode,
    id,
    folder,
    // Known before they are made: a program that ends meanwhile has to remove what is there of them.
    namespaces: mode === "namespaces" ? namespaces : [],
    hosts: [],
    network: null,
    relay: null,
  };
  const killNow = (): void => killSync(parts, kept.value);
  if (!detached) onExit(killNow);
  try {
    if (mode === "namespaces") await buildNamespaces(parts, options.hosts, detached);
    else buildLoopback(parts, options.hosts);
  } catch (error) {
    forgetExit(killNow);
    killNow();
    throw error;
  }
  return {
    id,
    mode,
    folder,
    hosts: parts.hosts,
    gateway: gatewayOf(options.hosts[0]?.address ?? "127.0.0.1"),
    host: (name) => {
      const found = parts.hosts.find((host) => host.name === name);
      if (found === undefined) throw new Error(`no host ${name} in this lab`);
      return found;
    },
    osUser: (wanted) => (mode === "namespaces" ? wanted : loopbackUser(wanted)),
    connect: async (address, port) => {
      if (mode === "loopback") return connectDirectly(address, port);
      parts.relay ??= startRelay(parts);
      return connectThrough((await parts.relay).path, address, port);
    },
    keep: () => {
      kept.value = true;
    },
    assertNoLeftovers: () => assertNothingLeft(id, folder, namespaces, kept.value),
    [Symbol.asyncDispose]: async () => {
      for (const host of parts.hosts) host.killSync();
      await parts.relay?.then((relay) => relay.process.kill("SIGKILL"));
      await removeNamespaces(parts.namespaces);
      if (kept.value) rmSync(join(folder, "lab.json"));
      else await removeFolder(folder);
      forgetExit(killNow);
    },
  };
}

type Parts = {
  readonly mode: LabMode;
  readonly id: string;
  readonly folder: string;
  readonly namespaces: readonly string[];
  hosts: readonly (NamespaceHost | LoopbackHost)[];
  network: Network | null;
  relay: Promise<Relay> | null;
};
type Relay = { readonly path: string; readonly process: HostProcess };

async function buildNamespaces(
  parts: Parts,
  specs: readonly HostSpec[],
  outlives: boolean,
): Promise<void> {
  const network = await createNetwork(parts.id, specs);
  parts.network = network;
  const base = (name: string): string => join(parts.folder, name);
  await Promise.all(specs.map((spec) => makeDisk(base(spec.name), spec, specs)));
  const hosts = specs.map((spec) =>
    createNamespaceHost(spec, base(spec.name), network, { outlives }),
  );
  parts.hosts = hosts;
  await Promise.all(hosts.map((host) => host.boot()));
}

function buildLoopback(parts: Parts, specs: readonly HostSpec[]): void {
  parts.hosts = specs.map((spec) => {
    if (!spec.address.startsWith("127.")) {
      throw new Error(`${spec.name}: loopback hosts need an address of 127.0.0.0/8`);
    }
    const base = join(parts.folder, spec.name);
    for (const folder of [base, join(base, "home"), join(base, "run"), join(base, "tmp")]) {
      mkdirSync(folder);
      // Shared by the users that a root-run lab switches to, like a machine's own /tmp.
      chmodSync(folder, 0o1777);
    }
    return createLoopbackHost(spec, base, parts.id);
  });
}

async function startRelay({ id, folder }: Parts): Promise<Relay> {
  const path = join(folder, "relay.sock");
  const program = join(folder, "relay.mjs");
  writeFileSync(program, relayProgram);
  const relay = await spawnProcess(
    [...dieWithUs, "ip", "netns", "exec", `${id}-sw`, process.execPath, program, path],
    { env: { PATH: process.env["PATH"] ?? "" }, behind: false },
  );
  await new Promise<void>((resolve, reject) => {
    relay.stdout?.once("data", () => resolve());
    void relay.exited.then(
      (code) => reject(new Error(`the lab's relay ended with ${code}`)),
      reject,
    );
  });
  return { path, process: relay };
}

function connectDirectly(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

function loopbackUser(wanted: string): string {
  if (process.getuid?.() !== 0) return userInfo().username;
  return findUser(wanted) === null ? "postgres" : wanted;
}

/** Runs at process exit, when nothing asynchronous does. */
function killSync(parts: Parts, keep: boolean): void {
  for (const host of parts.hosts) host.killSync();
  for (const name of parts.namespaces) {
    removeGroupSync(name);
    spawnSync("sh", ["-c", 'ip netns pids "$0" | xargs -r kill -9; ip netns del "$0"', name]);
  }
  if (keep) rmSync(join(parts.folder, "lab.json"), { force: true });
  else rmSync(parts.folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The kernel takes some milliseconds to end what was killed. */
function removeGroupSync(name: string): void {
  for (let tries = 0; tries < 100 && !removeControlGroups(name); tries += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
}

function assertNothingLeft(
  id: string,
  folder: string,
  namespaces: readonly string[],
  kept: boolean,
): void {
  const left = [
    ...processesOf(id).map((pid) => `process ${pid}`),
    ...namespaces.filter((name) => existsSync(`/run/netns/${name}`)).map((n) => `namespace ${n}`),
    ...(existsSync(folder) && !kept ? [folder] : []),
  ];
  if (left.length > 0) throw new Error(`left behind by ${id}: ${left.join(", ")}`);
}
