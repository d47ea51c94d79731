import type { Command } from "commander";
import { printResult, type CliContext } from "../context.ts";
import { portOption, withJson } from "../options.ts";

/** The coordinator's own life cycle, run in this process rather than through the API. */
export type CoordinatorActions = {
  /** Makes the state directory, certificate, key and settings. */
  init(options: InitOptions): Promise<{
    readonly stateDirectory: string;
    readonly fingerprint: string;
    readonly made: readonly string[];
  }>;
  /** Runs until SIGTERM. */
  run(options: RunOptions): Promise<void>;
};
type InitOptions = {
  readonly stateDirectory: string;
  readonly address: string | undefined;
  readonly port: number | undefined;
  readonly advertise: string | undefined;
};
type RunOptions = { readonly stateDirectory: string };

export function addCoordinatorCommands(
  program: Command,
  context: CliContext,
  actions: CoordinatorActions,
): void {
  withJson(
    program
      .command("init")
      .description(
        "make the coordinator's state directory with its journal, certificate and settings",
      )
      .option("--listen <address>", "address that agents connect to (default: 0.0.0.0)")
      .option("--port <port>", "port that agents connect to (default: 7300)", portOption)
      .option(
        "--advertise <address>",
        "address that goes into the agents' join line (default: this host's name)",
      ),
  ).action(
    async (options: { listen?: string; port?: number; advertise?: string; json?: boolean }) => {
      const made = await actions.init({
        stateDirectory: context.stateDirectory(),
        address: options.listen,
        port: options.port,
        advertise: options.advertise,
      });
      printResult(context, options.json, made, [
        ...made.made.map((file) => `made ${file}`),
        `certificate fingerprint (sha256): ${made.fingerprint}`,
        "next: castellan coordinator run (or systemctl start castellan-coordinator), then castellan token create --node NAME",
      ]);
    },
  );
  program
    .command("coordinator")
    .description("the coordinator process")
    .command("run")
    .description("run in the foreground until SIGTERM")
    .action(() => actions.run({ stateDirectory: context.stateDirectory() }));
}
