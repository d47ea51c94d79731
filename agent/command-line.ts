import { Command, InvalidArgumentError, Option } from "commander";
import { SecretName } from "#shared/domain/commands.ts";
import { PoolKind, ProductId } from "#shared/domain/cluster.ts";
import { Name } from "#shared/domain/names.ts";
import { version } from "#shared/version.ts";
import type { AgentSettings } from "./settings.ts";

type Endpoint = { readonly host: string; readonly port: number };

/** What `join` was told, by the option's name; what was not said is undefined. */
export type JoinFlags = {
  readonly coordinator: Endpoint;
  readonly node: string;
  /** `-`: read it from standard input. */
  readonly token: string;
  readonly fingerprint: string;
  readonly product: ProductId;
  readonly root?: string;
  readonly dataDir?: string;
  readonly binDir?: string;
  readonly serverConfig?: string;
  readonly hbaFile?: string;
  readonly identFile?: string;
  readonly port?: number;
  readonly databaseHost?: string;
  readonly databaseUser?: string;
  readonly databaseName?: string;
  readonly pool: PoolKind;
  readonly poolConfig?: string;
  readonly poolBinDir?: string;
  readonly poolPort?: number;
  readonly poolSocketDir?: string;
  readonly pcpUser?: string;
  readonly pcpHost?: string;
  readonly pcpPort?: number;
  readonly start: AgentSettings["start"];
  readonly rootHelper: readonly string[];
  readonly allowPath: readonly string[];
  readonly allowProgram: readonly string[];
  readonly user?: string;
  readonly config: string;
  readonly stateDir: string;
  readonly force: boolean;
};

export type Actions = {
  readonly run: (flags: { readonly config: string; readonly logLevel: string }) => Promise<void>;
  readonly fence: (flags: { readonly config: string }) => Promise<void>;
  readonly join: (flags: JoinFlags) => Promise<void>;
  readonly uninstall: (flags: { readonly config: string }) => Promise<void>;
  readonly setSecret: (name: SecretName, flags: { readonly config: string }) => Promise<void>;
  readonly listSecrets: (flags: {
    readonly config: string;
    readonly json: boolean;
  }) => Promise<void>;
  readonly version: () => void;
};

export function createCommandLine(actions: Actions): Command {
  const program = new Command("castellan-agent")
    .description("Castellan's agent: one on every database host, as the database's own OS user.")
    .addHelpText("after", "\nExit statuses: docs/errors.md. Nothing here needs root.")
    .exitOverride();

  withConfig(program.command("run").description("observe this node and execute typed commands"))
    .addOption(
      new Option("--log-level <level>", "least level that is logged")
        .choices(["error", "warn", "info", "debug"])
        .default("info"),
    )
    .action(actions.run);

  withConfig(
    program
      .command("fence")
      .description(
        "before the database starts: a former primary starts as a standby (docs/guard.md)",
      ),
  ).action(actions.fence);

  addJoin(program, actions);

  const secret = program
    .command("secret")
    .description("this host's passwords: they never leave it");
  withConfig(
    secret
      .command("set")
      .description("store a password, read from standard input (one line)")
      .addArgument(secret.createArgument("<name>").choices(SecretName.options)),
  ).action(actions.setSecret);
  withConfig(secret.command("list").description("names of the stored passwords"))
    .option("--json", "print as JSON", false)
    .action(actions.listSecrets);

  withConfig(
    program
      .command("uninstall")
      .description("before the agent leaves this host: the vendor's checks get it back"),
  ).action(actions.uninstall);

  program.command("version").description("print the version").action(actions.version);
  return program.version(version, "-V, --version");
}

/** Ways to say what differs from the product's defaults; all of it can be edited in agent.yaml afterwards. */
function addJoin(program: Command, actions: Actions): void {
  withConfig(
    program
      .command("join")
      .description("make this host an agent; paste the line of `castellan token create`"),
  )
    .requiredOption("--coordinator <host:port>", "where the coordinator listens", endpoint)
    .requiredOption("--node <name>", "this data node's name", nodeName)
    .requiredOption("--token <token>", "the one-time token; - reads it from standard input")
    .requiredOption("--fingerprint <sha256>", "of the coordinator's certificate", fingerprint)
    .addOption(
      new Option("--product <product>", "what runs here")
        .choices(ProductId.options)
        .default("kingbase-v8r3"),
    )
    .option("--root <dir>", "KingbaseES: the cluster's folder", absolute)
    .option("--data-dir <dir>", "data directory", absolute)
    .option("--bin-dir <dir>", "directory of the server's programs", absolute)
    .option("--server-config <file>", "server configuration outside the data directory", absolute)
    .option("--hba-file <file>", "hba file outside the data directory", absolute)
    .option("--ident-file <file>", "ident file outside the data directory", absolute)
    .option("--port <n>", "the database's port", port)
    .option("--database-host <host>", "address or socket directory for the agent's own SQL")
    .option("--database-user <name>", "role for the agent's own SQL")
    .option("--database-name <name>", "database that it connects to")
    .addOption(
      new Option("--pool <kind>", "pool on this host").choices(PoolKind.options).default("none"),
    )
    .option("--pool-config <file>", "the pool's configuration file", absolute)
    .option("--pool-bin-dir <dir>", "directory of the pool's programs (pcp_*)", absolute)
    .option("--pool-port <n>", "the pool's port, if its configuration can't be read", port)
    .option("--pool-socket-dir <dir>", "directory of the pool's sockets", absolute)
    .option("--pcp-user <name>", "user for the pool's control port")
    .option("--pcp-host <host>", "address of the pool's control port")
    .option("--pcp-port <n>", "the pool's control port", port)
    .addOption(
      new Option("--start <how>", "ctl, or unit:NAME.service")
        .argParser(startMode)
        .default({ mode: "ctl" }, "ctl"),
    )
    .option(
      "--root-helper <words>",
      'e.g. "sudo -n node castellan-root.mjs"; repeatable',
      words,
      [],
    )
    .option("--allow-path <path>", "may be written too; repeatable", collect, [])
    .option("--allow-program <dir>", "programs may be run from it too; repeatable", collect, [])
    .option("--user <name>", "OS user of the agent, where root runs join")
    .option("--state-dir <dir>", "the agent's state", absolute, "/var/lib/castellan-agent")
    .option("--force", "replace an agent.yaml that is there", false)
    .action(actions.join);
}

function withConfig(command: Command): Command {
  return command.option("--config <file>", "agent.yaml", absolute, "/etc/castellan/agent.yaml");
}

function endpoint(text: string): Endpoint {
  const match = /^(?:\[([0-9A-Fa-f:]+)\]|([^:\s]+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new InvalidArgumentError("HOST:PORT is wanted.");
  return { host, port: port(match?.[3] ?? "") };
}

function port(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 65_535) return number;
  throw new InvalidArgumentError("ports go from 1 to 65535.");
}

function absolute(text: string): string {
  if (text.startsWith("/") && !text.split("/").includes("..")) return text.replace(/(.)\/+$/, "$1");
  throw new InvalidArgumentError("an absolute path without .. is wanted.");
}

function nodeName(text: string): string {
  if (Name.safeParse(text).success) return text;
  throw new InvalidArgumentError("a letter, then letters, digits, _ or - are wanted.");
}

function fingerprint(text: string): string {
  if (/^([0-9A-Fa-f]{2}:?){32}$/.test(text)) return text;
  throw new InvalidArgumentError("64 hexadecimal digits are wanted.");
}

function startMode(text: string): AgentSettings["start"] {
  if (text === "ctl") return { mode: "ctl" };
  const unit = /^unit:([A-Za-z0-9@._-]+\.service)$/.exec(text)?.[1];
  if (unit !== undefined) return { mode: "unit", unit };
  throw new InvalidArgumentError("ctl or unit:NAME.service is wanted.");
}

function words(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(/\s+/).filter((word) => word !== "")];
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, absolute(text)];
}
