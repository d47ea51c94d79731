import { InvalidArgumentError, type Command } from "commander";
import type { FileDiff, FileHistory, FileShown } from "../../api/drift-contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { withExamples, withJson } from "../options.ts";
import { renderFile, renderFileDiff, renderHistory } from "../render/file.ts";

type Json = { readonly json?: boolean };

const fileHelp = "its path, or the end of it, e.g. pg_hba.conf";

export function addFileCommands(program: Command, context: CliContext): void {
  const get = <T>(path: string, query: Readonly<Record<string, string>>): Promise<T> =>
    context.client().get<T>(`/files/${path}?${new URLSearchParams(query).toString()}`);
  const file = withExamples(
    program.command("file").description("watched files and what they have been"),
    "file history srv127 sys_hba.conf",
    "file show srv127 sys_hba.conf --version 3 > /tmp/sys_hba.conf",
    "file diff srv127:3 srv127 sys_hba.conf",
    "file diff srv127 srv129 db/etc/HAmodule.conf",
  );
  withJson(
    file
      .command("show")
      .description("a watched file as its agent told it, secrets masked")
      .argument("<node>")
      .argument("<file>", fileHelp)
      .option("--version <number>", "an earlier version of file history", versionOption),
  ).action(async (node: string, name: string, options: { version?: number } & Json) => {
    const { version } = options;
    const shown = await get<FileShown>("show", {
      node,
      file: name,
      ...(version === undefined ? {} : { version: String(version) }),
    });
    printResult(context, options.json, shown, renderFile(shown));
  });
  withJson(
    file
      .command("history")
      .description("every version that was seen: when, whose, accepted by whom")
      .argument("<node>")
      .argument("<file>", fileHelp),
  ).action(async (node: string, name: string, options: Json) => {
    const history = await get<FileHistory>("history", { node, file: name });
    printResult(context, options.json, history, renderHistory(history));
  });
  withJson(
    file
      .command("diff")
      .description("a file of two nodes, or two versions of it")
      .argument("<left>", "NODE, or NODE:VERSION")
      .argument("<right>", "NODE, or NODE:VERSION")
      .argument("<file>", fileHelp),
  ).action(async (left: string, right: string, name: string, options: Json) => {
    const diff = await get<FileDiff>("diff", { left, right, file: name });
    printResult(context, options.json, diff, renderFileDiff(diff));
  });
}

function versionOption(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new InvalidArgumentError("a number of castellan file history is wanted.");
  }
  return Number(text);
}
