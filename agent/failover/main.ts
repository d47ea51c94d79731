// castellan-failover: what a pool's failover_command calls on a management node, as whoever the pool runs as.
//   node castellan-failover.js [--config FILE] %d %h %p %D %m %H %M %P %r %R
// It decides nothing: it asks the coordinator, and promotes nobody where that is away. It needs no agent, no ssh and no shell.
// Exit status 0: a primary is there, or it was none that failed; else that of the failure in shared/errors.ts: 2 wrong call
// or settings, 6 no coordinator, 10 nobody may be promoted. A pool does not look at it.
import { constants } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { asFailure, Failure, failures } from "#shared/errors.ts";
import { unansweredFile, type Unanswered } from "../adapters/unanswered-failover.ts";
import { loadSettings } from "../adapters/settings-file.ts";
import type { FailoverAnswer, FailoverCall } from "#shared/protocol/messages.ts";
import type { AgentSettings } from "../settings.ts";
import { askCoordinator } from "./ask-coordinator.ts";
import { parseCall } from "./call.ts";

/** The coordinator answers within 70 s; the pool waits for this program. */
const answerWithinMs = 80_000;
const askAgainForMs = 600_000;
const mostLogBytes = 1_048_576;

process.umask(0o077);
const words = process.argv.slice(2);
const isConfigured = words[0] === "--config";
const configFile = isConfigured ? (words[1] ?? "") : "/etc/castellan/agent.yaml";
const poolWords = isConfigured ? words.slice(2) : words;
let settings: AgentSettings | null = null;
let said: string;
// A connection that trickles is no silence.
const hurry = setTimeout(() => process.exit(failures.COORDINATOR_UNREACHABLE.exitCode), answerWithinMs + 5_000).unref(); // prettier-ignore
try {
  ({ settings } = await loadSettings(configFile));
  said = await run(settings);
} catch (error) {
  const { code, message, hint } = asFailure(error);
  said = [message, ...(hint === undefined ? [] : [hint])].join(". ");
  process.exitCode = failures[code].exitCode;
  if (settings !== null && code === "COORDINATOR_UNREACHABLE") {
    const { host, port } = parseCall(poolWords);
    const left: Unanswered = { at: Date.now(), lost: `${host}:${port}` };
    await write(unansweredFile(settings.stateDirectory), JSON.stringify(left), { again: true });
  }
}
const line = `${new Date().toISOString()} ${poolWords.join(" ")}: ${said}\n`;
process.stderr.write(`castellan-failover: ${line}`);
if (settings !== null) await write(`${settings.stateDirectory}/failover.log`, line);

async function run(agent: AgentSettings): Promise<string> {
  const { failed, host, port, oldPrimary } = parseCall(poolWords);
  if (failed !== oldPrimary) return "it was not the primary: nothing to do";
  const call = { backendId: failed, host, port };
  const { outcome, primary, because } = await answerTo(call, agent);
  if (outcome !== "waits")
    return [outcome, ...(primary === null ? [] : [primary]), because].join(": ");
  throw new Failure("REFUSED", `nobody was promoted: ${because}`, { hint: "castellan status" });
}

/** A proof that is on its way is waited for: the pool asks once, and has no primary meanwhile. */
async function answerTo(call: FailoverCall, agent: AgentSettings): Promise<FailoverAnswer> {
  const until = performance.now() + askAgainForMs;
  for (;;) {
    hurry.refresh();
    const answer = await askCoordinator(call, agent, answerWithinMs);
    if (answer.again !== true || performance.now() > until) return answer;
  }
}

/** As root it writes in a directory of another user: never through a link that somebody put there. */
async function write(file: string, text: string, { again = false } = {}): Promise<void> {
  try {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
    const mode = O_WRONLY | O_CREAT | O_NOFOLLOW | (again ? O_TRUNC : O_APPEND);
    const handle = await open(file, mode, 0o600);
    try {
      const owner = await stat(dirname(file));
      await handle.chown(owner.uid, owner.gid);
      await handle.write(text);
      if ((await handle.stat()).size > mostLogBytes) await rename(file, `${file}.1`);
    } finally {
      await handle.close();
    }
  } catch (error) {
    process.stderr.write(`castellan-failover: ${file}: ${asFailure(error).message}\n`);
    process.exitCode ??= failures.INTERNAL.exitCode;
  }
}
