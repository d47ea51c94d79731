import { InvalidArgumentError, type Command } from "commander";
import { Failure } from "#shared/errors.ts";
import type * as z from "zod";
import { parseDuration, parseSize, parseTime } from "./render/units.ts";

export function withJson(command: Command): Command {
  return command.option("--json", "print the answer as JSON");
}

export function portOption(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(`ports go from 1 to 65535.`);
  }
  return port;
}

export function sizeOption(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null || bytes <= 0)
    throw new InvalidArgumentError("a size such as 50M or 1G is wanted.");
  return bytes;
}

function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms <= 0)
    throw new InvalidArgumentError("a duration such as 30m, 12h or 7d is wanted.");
  return ms;
}

/** What the coordinator would refuse, said of the option that was typed. */
export function durationWithin(schema: z.ZodType<number | null>): (text: string) => number {
  return (text) => {
    const ms = durationOption(text);
    const parsed = schema.safeParse(ms);
    if (parsed.success) return ms;
    throw new InvalidArgumentError(`${parsed.error.issues[0]?.message ?? "not valid"}.`);
  };
}

export function timeOption(text: string): number {
  const at = parseTime(text);
  if (at === null) {
    throw new InvalidArgumentError('a time such as "2026-11-22 20:14" (UTC) is wanted.');
  }
  return at;
}

/** Of a difference, as `drift show` printed it. */
export function hashOption(text: string): string {
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  throw new InvalidArgumentError("the 16 hexadecimal digits of drift show are wanted.");
}

/** Under the help of a command. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText(
    "after",
    ["", "Examples:", ...lines.map((line) => `  castellan ${line}`)].join("\n"),
  );
}

/** What a person typed as the request's schema wants it, or a USAGE failure naming the option. */
export function parseRequest<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.map(String).join(".") ?? "";
  const found = JSON.stringify(valueAt(value, issue?.path ?? []));
  throw new Failure("USAGE", `${where} is ${found}: ${issue?.message ?? "not valid"}.`, {
    hint: "repeat the command with --help to see what it takes",
  });
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}
