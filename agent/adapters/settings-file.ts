import { readFile } from "node:fs/promises";
import { Failure } from "#shared/errors.ts";
import { parseSettings, type LoadedSettings } from "../load-settings.ts";
import { errnoOf } from "./file-failure.ts";

/** @throws Failure NOT_FOUND without the file; CONFIG_INVALID with file:line:column */
export async function loadSettings(file: string): Promise<LoadedSettings> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const isMissing = errnoOf(error) === "ENOENT";
    throw new Failure(isMissing ? "NOT_FOUND" : "CONFIG_INVALID", `${file} can't be read`, {
      hint: isMissing
        ? "This host has not joined yet: paste the line that `castellan token create --node NAME` prints."
        : "The agent's user must be able to read it.",
      evidence: [error instanceof Error ? error.message : String(error)],
      cause: error,
    });
  }
  return parseSettings(text, file);
}
