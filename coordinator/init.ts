import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { Document } from "yaml";
import { Failure } from "#shared/errors.ts";
import { createJournalFile } from "./store/journal-file.ts";
import { certificateFingerprint, createCertificate } from "./trust/certificate.ts";

export type InitOptions = {
  readonly stateDirectory: string;
  /** Where agents connect to; default 0.0.0.0:7300. */
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** Host as agents reach it, when that is not this host's name. */
  readonly advertise?: string | undefined;
  readonly clustersDirectory?: string | undefined;
};
export type InitAnswer = {
  readonly stateDirectory: string;
  readonly made: readonly string[];
  readonly fingerprint: string;
};

/**
 * Makes the coordinator's state: certificate and key, settings.yaml, the folder of declarations, the
 * journal last. What is there already is kept, so an interrupted init is simply run again.
 * @throws Failure ALREADY_EXISTS when nothing is missing.
 */
export async function initCoordinator(options: InitOptions): Promise<InitAnswer> {
  const { stateDirectory } = options;
  const at = (name: string): string => join(stateDirectory, name);
  if (existsSync(at("journal.db")) && existsSync(at("certificate.pem"))) {
    throw new Failure("ALREADY_EXISTS", `${stateDirectory} already holds a coordinator's state.`, {
      hint: "start it with: castellan coordinator run",
    });
  }
  const made: string[] = [];
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  if (!existsSync(at("certificate.pem"))) {
    const hosts = [hostname(), options.advertise, options.address].filter(isRealHost);
    const { certificateFile, keyFile } = await createCertificate(stateDirectory, hosts, Date.now());
    made.push(certificateFile, keyFile);
  }
  if (!existsSync(at("settings.yaml"))) {
    await writeWhole(at("settings.yaml"), settingsText(options));
    made.push(at("settings.yaml"));
  }
  const clusters = options.clustersDirectory ?? at("clusters");
  if (!existsSync(clusters)) {
    await mkdir(clusters, { recursive: true, mode: 0o700 });
    made.push(clusters);
  }
  if (!existsSync(at("journal.db"))) {
    // Agents refuse whatever is older than what they have obeyed: a journal that is made after another was lost
    // must outrank it, however often that one's coordinator was started.
    createJournalFile(at("journal.db"), Date.now());
    made.push(at("journal.db"));
  }
  const fingerprint = certificateFingerprint(await readFile(at("certificate.pem"), "utf8"));
  return { stateDirectory, made, fingerprint };
}

function isRealHost(host: string | undefined): host is string {
  return host !== undefined && host !== "0.0.0.0" && host !== "::";
}

function settingsText(options: InitOptions): string {
  const document = new Document({
    listen: { address: options.address ?? "0.0.0.0", port: options.port ?? 7300 },
    ...(options.advertise === undefined ? {} : { advertise: { address: options.advertise } }),
    ...(options.clustersDirectory === undefined
      ? {}
      : { clustersDirectory: options.clustersDirectory }),
  });
  document.commentBefore = " The coordinator's settings; what is left out has its default.";
  return document.toString();
}

async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
