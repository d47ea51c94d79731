import type { CommandArgs, CommandResult } from "#shared/domain/commands.ts";
import { haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import type { Fleet } from "../../ports.ts";
import { askIfThere } from "./ask.ts";
import { newcomerLogins } from "./plan/access-steps.ts";
import { newcomerDirectories } from "./plan/node-directories.ts";
import {
  type Asked,
  type KnownNode,
  type Probes,
  setting,
  type Situation,
  textAt,
} from "./situation.ts";
import { measureThroughput } from "./throughput.ts";

/** Long enough to see a steady load, short enough that nobody waits for it. */
const walWindowMs = 400;
/** Where that would refuse the copy: a vacuum or what follows a checkpoint writes for a moment, and is no load. */
const burstWindowMs = 3_000;

/** Asks every host what only it can know, all at the same time. Changes nothing; a question that fails is an answer. */
export async function gather(fleet: Fleet, situation: Situation): Promise<Probes> {
  const { newcomer, primary, existing } = situation;
  const logins = newcomerLogins(situation).slice(0, mostLogins);
  const doors = [...poolDoors(situation)].slice(0, mostDoors);
  const [target, loginAnswers, reachFromNewcomer, throughput, walRate, reaches] = await Promise.all(
    [
      askIfThere(fleet, newcomer, "probe-target", targetQuestion(situation)),
      askIfThere(fleet, newcomer, "probe-logins", { logins }),
      askIfThere(fleet, newcomer, "probe-reach", { tcp: doors, ssh: [] }),
      measureThroughput(fleet, situation),
      primary === null
        ? null
        : askIfThere(fleet, primary, "measure-wal-rate", { windowMs: walWindowMs }),
      Promise.all(existing.map((node) => askReach(fleet, situation, node))),
    ],
  );
  return {
    target,
    logins: loginAnswers,
    reachFromNewcomer,
    reachToNewcomer: new Map(reaches.flat()),
    throughput: throughput.asked,
    throughputFrom: throughput.from,
    walRate: await withoutBurst(fleet, situation, walRate, throughput.asked),
  };
}

async function withoutBurst(
  fleet: Fleet,
  { primary, request, limits }: Situation,
  walRate: Probes["walRate"],
  throughput: Probes["throughput"],
): Promise<Probes["walRate"]> {
  const written = walRate?.answer?.bytesPerSecond ?? 0;
  const measured = throughput?.answer?.bytesPerSecond ?? limits.assumedBytesPerSecond;
  const taken = Math.min(measured, request.maxRateBytesPerSecond ?? Number.POSITIVE_INFINITY);
  if (primary === null || written < taken) return walRate;
  return askIfThere(fleet, primary, "measure-wal-rate", { windowMs: burstWindowMs });
}

/** Limits of the questions themselves. */
const mostLogins = 32;
const mostDoors = 64;

async function askReach(
  fleet: Fleet,
  situation: Situation,
  node: KnownNode,
): Promise<readonly (readonly [string, Asked<CommandResult<"probe-reach">>])[]> {
  const question = { tcp: [doorOf(situation.newcomer)], ssh: sshQuestions(situation, node) };
  const asked = await askIfThere(fleet, node, "probe-reach", question);
  return asked === null ? [] : [[node.declared.name, asked]];
}

function targetQuestion(situation: Situation): CommandArgs<"probe-target"> {
  const { newcomer, source, stagingDirectory, tablespaces, declaration } = situation;
  const { paths, port, address, nic } = newcomer.declared;
  const outside = [paths.configFile, paths.hbaFile, paths.identFile]
    .filter((file) => !file.startsWith(`${paths.dataDirectory}/`))
    .map((file) => file.slice(0, Math.max(1, file.lastIndexOf("/"))));
  const directories = [
    paths.dataDirectory,
    stagingDirectory,
    ...tablespaces.map(({ to }) => to),
    ...newcomerDirectories(situation),
    ...outside,
  ];
  return {
    dataDirectory: paths.dataDirectory,
    stagingDirectory,
    port,
    address,
    directories: [...new Set(directories)],
    sharedPreloadLibraries: [...preloadLibraries(source)],
    extensions: [...new Set(source?.facts?.database.extensions.map(({ name }) => name) ?? [])],
    nic,
    trustAddresses: [...declaration.trustAddresses],
  };
}

/** All three settings that load a library before a session can say anything. */
export function preloadLibraries(node: KnownNode | null): readonly string[] {
  const names = [
    "shared_preload_libraries",
    "session_preload_libraries",
    "local_preload_libraries",
  ];
  const libraries = names
    .flatMap((name) => (setting(node, name) ?? "").split(","))
    .map((library) => library.trim().replaceAll('"', ""));
  return [...new Set(libraries.filter((library) => library !== ""))];
}

function doorOf({ declared }: KnownNode): { host: string; port: number } {
  return { host: declared.address, port: declared.port };
}

/** The new node attaches itself under the vendor's scripts, so it must reach pool and pcp. */
function* poolDoors({ managers }: Situation): Iterable<{ host: string; port: number }> {
  for (const { declared } of managers) {
    if (declared.pool === null) continue;
    yield { host: declared.address, port: declared.pool.port };
    yield { host: declared.address, port: declared.pool.pcpPort };
  }
}

/** As whom the vendor's scripts come: the database's OS user and the pool's. Asked on management nodes only. */
function sshQuestions(situation: Situation, node: KnownNode): { host: string; user: string }[] {
  const { vendor } = situation.product;
  if (vendor === null || node.declared.pool === null) return [];
  const [file] = vendor.haModuleFiles(node.declared.paths, null);
  const text = textAt(node.facts, file ?? "");
  const module = text === null ? null : parseHaModule(text, file);
  const users = ["KB_EXECUTE_SYS_USER", "KB_POOL_EXECUTE_SYS_USER"].flatMap(
    (key) => (module === null ? null : haText(module, key)) ?? [],
  );
  const host = situation.newcomer.declared.address;
  return [...new Set(users)].map((user) => ({ host, user }));
}
