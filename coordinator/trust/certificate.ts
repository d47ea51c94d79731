import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, rename, rm } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { Failure } from "#shared/errors.ts";

/** Agents pin the certificate itself, so its end is far away; renewing it means joining again. */
const validDays = 7300;

/**
 * Makes the coordinator's own certificate (EC P-256, self-signed) and key with the openssl program.
 * Both appear whole or not at all; the key first, so that a certificate never lacks its key.
 */
export async function createCertificate(
  directory: string,
  hosts: readonly string[],
): Promise<{ readonly certificateFile: string; readonly keyFile: string }> {
  const work = await mkdtemp(join(directory, ".certificate-"));
  const certificateFile = join(directory, "certificate.pem");
  const keyFile = join(directory, "key.pem");
  try {
    const names = [...new Set(["localhost", ...hosts])];
    const result = await execa(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-sha256",
        "-days",
        String(validDays),
        "-subj",
        "/CN=castellan-coordinator",
        "-addext",
        `subjectAltName=${names.map((name) => `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`).join(",")}`,
        "-keyout",
        join(work, "key.pem"),
        "-out",
        join(work, "certificate.pem"),
      ],
      { reject: false, timeout: 30_000, stdin: "ignore" },
    );
    if (result.failed) {
      throw new Failure("PROGRAM_FAILED", "openssl could not make the coordinator's certificate.", {
        hint: "is the package openssl installed?",
        evidence: result.stderr?.split("\n").slice(-5) ?? [result.message ?? "no output"],
      });
    }
    await chmod(join(work, "key.pem"), 0o600);
    await chmod(join(work, "certificate.pem"), 0o644);
    await rename(join(work, "key.pem"), keyFile);
    await rename(join(work, "certificate.pem"), certificateFile);
    return { certificateFile, keyFile };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** sha256 of the certificate's DER form, lower-case hex: what agents pin. */
export function certificateFingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
}
