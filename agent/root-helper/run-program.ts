import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";

export type ProgramEnd = {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
};

/** Root's programs are looked for here and nowhere else: PATH belongs to the caller. */
const folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

export function findProgram(name: string): string | null {
  for (const folder of folders) {
    const file = `${folder}/${name}`;
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return null;
}

/** Runs a program with an argument list and an environment of our own. Never rejects for an exit code. */
export function runProgram(
  file: string,
  args: readonly string[],
  input = "",
  timeoutMs = 2_000,
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { PATH: folders.join(":"), LANG: "C" },
      cwd: "/",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    // A program that ends before it has read everything is judged by its exit code.
    child.stdin.on("error", () => undefined);
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    );
    child.stdin.end(input);
  });
}
