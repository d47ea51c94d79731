import { Failure } from "#shared/errors.ts";
import { protocolVersion, version } from "#shared/version.ts";
import type { JoinFiles } from "./adapters/join-files.ts";
import type { ExchangeToken } from "./adapters/join-request.ts";
import { joinSettings, type JoinInput } from "./join-settings.ts";
import { parseSettings } from "./load-settings.ts";
import { AgentSettings } from "./settings.ts";
import { settingsText } from "./settings-text.ts";

export type JoinOptions = {
  readonly input: JoinInput;
  readonly fingerprint: string;
  readonly token: string;
  /** agent.yaml */
  readonly configFile: string;
  /** Replace an agent.yaml that is there, even another node's. */
  readonly force: boolean;
  readonly files: JoinFiles;
  readonly exchange: ExchangeToken;
  readonly timeoutMs: number;
};

/**
 * Makes this host an agent of the coordinator: proves the certificate by its fingerprint, then sends the
 * one-time token, then writes certificate, secret and (last, so that its presence means all is there)
 * agent.yaml. Answers what was done, for people.
 * @throws Failure AUTHENTICATION_FAILED, COORDINATOR_UNREACHABLE, ALREADY_EXISTS, VERSION_MISMATCH, USAGE
 */
export async function join(options: JoinOptions): Promise<readonly string[]> {
  const { input, files, configFile } = options;
  const wanted = checkedSettings(joinSettings(input));
  const before = await files.readText(configFile);
  const { settings, text } = chosenText(options, wanted, before);
  // All that can fail here fails before the token, which works once, is used up.
  await files.prepare(settings.stateDirectory, configFile);

  const { host, port } = input.coordinator;
  const answer = await options.exchange({
    host,
    port,
    fingerprint: options.fingerprint,
    body: {
      token: options.token,
      node: input.node,
      agentVersion: version,
      protocol: protocolVersion,
    },
    timeoutMs: options.timeoutMs,
  });

  await files.writePublic(settings.coordinator.certificateFile, answer.certificatePem);
  await files.writeSecret(settings.coordinator.secretFile, answer.secret);
  if (text !== before) await files.writePublic(configFile, text);
  return [
    `${input.node} has joined the coordinator at ${host}:${port}.`,
    before === null || options.force
      ? `Wrote ${configFile}: look at paths, database and allow.`
      : `Kept ${configFile} as it was${text === before ? "" : ", but for the coordinator's address"}.`,
    "Next, as the agent's user: castellan-agent secret set database (and replication, pcp)",
    `Then start it: castellan-agent run --config ${configFile} (or its systemd unit).`,
  ];
}

function checkedSettings(settings: AgentSettings): AgentSettings {
  const parsed = AgentSettings.safeParse(settings);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Failure("USAGE", `${issue?.path.map(String).join(".")}: ${issue?.message}`, {
    hint: "castellan-agent join --help lists the options.",
  });
}

/** Joining again keeps what the site wrote into agent.yaml; only the coordinator's address may change. */
function chosenText(
  { force, configFile, input }: JoinOptions,
  wanted: AgentSettings,
  before: string | null,
): { readonly settings: AgentSettings; readonly text: string } {
  if (before === null || force) return { settings: wanted, text: settingsText(wanted) };
  const { settings, document } = parseSettings(before, configFile);
  if (settings.node !== input.node) {
    throw new Failure(
      "ALREADY_EXISTS",
      `${configFile} is that of node ${settings.node}, not of ${input.node}`,
      { hint: "Name another file with --config, or add --force to replace it." },
    );
  }
  if (settings.coordinator.url === wanted.coordinator.url) return { settings, text: before };
  document.setIn(["coordinator", "url"], wanted.coordinator.url);
  return { settings, text: document.toString({ lineWidth: 0 }) };
}
