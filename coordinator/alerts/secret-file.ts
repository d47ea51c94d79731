import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { Failure } from "#shared/errors.ts";
import { Secret } from "#shared/secret.ts";

/**
 * The one line of a file that only its owner may read. Read whenever it is needed: what was changed counts at once.
 * @throws Failure CONFIG_INVALID, never with what is in it.
 */
export function readSecretFile(file: string): Secret {
  const text = readSmallFile(file, 8_192, ({ mode }) => {
    if ((mode & 0o077) === 0) return;
    const octal = (mode & 0o777).toString(8).padStart(4, "0");
    throw new Failure("CONFIG_INVALID", `${file} has mode ${octal}: others may read a secret.`, {
      hint: `chmod 0600 ${file}`,
      retryable: true,
    });
  });
  const line = text.replace(/\r?\n$/, "");
  if (line !== "" && !/[\r\n]/.test(line)) return new Secret(line);
  throw bad(`${file} must hold one line.`);
}

/** @throws Failure CONFIG_INVALID */
export function readSmallFile(
  file: string,
  mostBytes: number,
  check: (stat: Stats) => void = () => undefined,
): string {
  let handle: number;
  try {
    // A pipe in its place would be waited for.
    handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw bad(`${file} can't be read.`, cause);
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) throw bad(`${file} is no file.`);
    check(stat);
    if (stat.size > mostBytes) throw bad(`${file} is longer than ${mostBytes} bytes.`);
    return readFileSync(handle, "utf8");
  } finally {
    closeSync(handle);
  }
}

function bad(message: string, cause?: unknown): Failure {
  return new Failure("CONFIG_INVALID", message, { retryable: true, ...(cause === undefined ? {} : { cause }) }); // prettier-ignore
}
