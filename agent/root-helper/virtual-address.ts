import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "#shared/errors.ts";
import type { HelperSettings } from "./helper-settings.ts";
import { findProgram, runProgram, type ProgramEnd } from "./run-program.ts";

type VipSettings = NonNullable<HelperSettings["vip"]>;

/** `here` or `not here`. */
export async function vipStatus(vip: VipSettings): Promise<string> {
  return (await isHere(vip)) ? "here" : "not here";
}

/**
 * Whether another host answers for the address: `free`, or `taken MAC`. Also asked while it is here: the kernel does not
 * answer its own question.
 */
export async function vipProbe(vip: VipSettings): Promise<string> {
  const holder = await otherHolder(vip);
  return holder === null ? "free" : `taken ${holder}`;
}

/** Only where nobody else answers for it, and taken back where somebody does a moment later: two may add at once. */
export async function vipAdd(vip: VipSettings): Promise<string> {
  if (await isHere(vip)) {
    await announce(vip);
    return "here already, announced";
  }
  const before = await otherHolder(vip);
  if (before !== null) throw taken(vip, before);
  const { address, nic, label } = vip;
  const added = await ip(["addr", "add", address, "dev", nic, "label", label]);
  if (added.code !== 0) throw failed(`ip addr add ${address} dev ${nic}`, added);
  try {
    const [after] = await Promise.all([otherHolder(vip), announce(vip)]);
    if (after !== null) throw taken(vip, after);
  } catch (error) {
    await remove(vip);
    throw error;
  }
  return "added";
}

export async function vipDrop(vip: VipSettings): Promise<string> {
  if (!(await isHere(vip))) return "not here";
  await remove(vip);
  if (await isHere(vip)) {
    throw new Failure("PROGRAM_FAILED", `${vip.address} is still on this host after its removal`);
  }
  return "dropped";
}

type Place = { readonly nic: string; readonly address: string };

/** Whoever put it there may have taken another interface, or another mask than ours. */
async function placesOf({ address }: VipSettings): Promise<readonly Place[]> {
  const shown = await ip(["-o", "-4", "addr", "show", "to", `${bare(address)}/32`]);
  if (shown.code !== 0) throw failed("ip addr show", shown);
  return shown.out.split("\n").flatMap((line) => {
    const [, nic, family, held] = line.split(/\s+/);
    return nic === undefined || family !== "inet" || held === undefined
      ? []
      : [{ nic, address: held }];
  });
}

async function isHere(vip: VipSettings): Promise<boolean> {
  return (await placesOf(vip)).length > 0;
}

async function remove(vip: VipSettings): Promise<void> {
  for (const { nic, address } of await placesOf(vip)) {
    const removed = await ip(["addr", "del", address, "dev", nic]);
    if (removed.code !== 0) throw failed(`ip addr del ${address} dev ${nic}`, removed);
  }
}

/** Without one a question goes nowhere, and no answer comes: arping calls that free. */
async function assertCarrier({ nic }: VipSettings): Promise<void> {
  const shown = await ip(["-o", "link", "show", "dev", nic]);
  if (shown.code !== 0) throw failed(`ip link show dev ${nic}`, shown, "RESOURCE_MISSING");
  if (/<(?:[^>]*,)?LOWER_UP[,>]/.test(shown.out)) return;
  throw new Failure("RESOURCE_MISSING", `${nic} has no carrier: who else has the address can't be asked`); // prettier-ignore
}

/** Two questions: one may get lost. By two programs, as one asks only once a second, and clients wait for the address. */
async function otherHolder(vip: VipSettings): Promise<string | null> {
  await assertCarrier(vip);
  const holders = await Promise.all([ask(vip), sleep(300).then(() => ask(vip))]);
  return holders.find((holder) => holder !== null) ?? null;
}

/** iputils arping(8), -D: exit status 0 where nobody answered, 1 where somebody did; and 0 where it could not ask at all. */
async function ask({ address, nic }: VipSettings): Promise<string | null> {
  const asked = await arping(["-D", "-f", "-c", "1", "-w", "1", "-I", nic, bare(address)]);
  if (asked.code === 0 && asked.out.includes("Received 0 response")) return null;
  const mac = /\[([0-9A-Fa-f:]{17})\]/.exec(asked.out)?.[1];
  if (asked.code === 1 && mac !== undefined) return mac.toLowerCase();
  throw failed(`arping -D -I ${nic} ${bare(address)}`, asked);
}

async function announce({ address, nic }: VipSettings): Promise<void> {
  const told = await arping(["-U", "-c", "1", "-w", "1", "-I", nic, bare(address)]);
  // Nobody answers an announcement: its status is 1 then, with some versions.
  if (told.code !== 0 && !told.out.includes("Sent 1 probes")) {
    throw failed(`arping -U -I ${nic} ${bare(address)}`, told);
  }
}

function ip(args: readonly string[]): Promise<ProgramEnd> {
  return run("ip", args);
}

function arping(args: readonly string[]): Promise<ProgramEnd> {
  return run("arping", args);
}

function run(name: string, args: readonly string[]): Promise<ProgramEnd> {
  const program = findProgram(name);
  if (program === null) {
    throw new Failure("RESOURCE_MISSING", `${name} is not installed`, {
      hint: name === "arping" ? "Install arping of iputils (package iputils-arping, or iputils)." : "Install iproute2.", // prettier-ignore
    });
  }
  return runProgram(program, args, "", 5_000);
}

function bare(address: string): string {
  return address.slice(0, address.indexOf("/"));
}

function taken({ address, nic }: VipSettings, mac: string): Failure {
  return new Failure("REFUSED", `${address} is taken: ${mac} answers for it on ${nic}`, {
    hint: `Take it off that host first: ip addr del ${address} dev NIC`,
  });
}

function failed(
  what: string,
  { code, err, out }: ProgramEnd,
  kind: "PROGRAM_FAILED" | "RESOURCE_MISSING" = "PROGRAM_FAILED",
): Failure {
  const said = (err.trim() || out.trim()).split("\n")[0] ?? "";
  return new Failure(kind, `${what}: ${said || `exit status ${code}`}`);
}
